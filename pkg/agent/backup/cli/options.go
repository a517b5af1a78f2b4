// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/upmio/unit-operator/pkg/agent/backup"
)

type options struct {
	secretDir, keyFile string
}

// variables of the environment, by what the operator calls their content.
var variables = map[string]string{
	"s3.endpoint":  "S3_ENDPOINT",
	"s3.region":    "S3_REGION",
	"s3.pathStyle": "S3_PATH_STYLE",
	"s3.accessKey": "AWS_ACCESS_KEY_ID",
	"s3.secretKey": "AWS_SECRET_ACCESS_KEY",
}

func (o *options) open(ctx context.Context, address string) (backup.Location, backup.Store, error) {
	l, err := backup.ParseLocation(address)
	if err != nil {
		return l, nil, err
	}
	creds, err := o.credentials()
	if err != nil {
		return l, nil, err
	}
	store, err := backup.Open(ctx, l, creds)
	return l, store, err
}

func (o *options) credentials() (backup.Credentials, error) {
	secrets, err := o.secrets()
	if err != nil {
		return backup.Credentials{}, err
	}
	return backup.CredentialsFrom(secrets)
}

// secrets of the store, from the directory if one is given, else from the environment.
func (o *options) secrets() (map[string][]byte, error) {
	secrets := map[string][]byte{}
	if o.secretDir != "" {
		for _, name := range []string{"endpoint", "region", "pathStyle", "accessKey", "secretKey", "ca"} {
			raw, err := os.ReadFile(filepath.Join(o.secretDir, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			secrets["s3."+name] = raw
		}
		return secrets, nil
	}
	for name, variable := range variables {
		secrets[name] = []byte(os.Getenv(variable))
	}
	if file := os.Getenv("S3_CA_FILE"); file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		secrets["s3.ca"] = raw
	}
	return secrets, nil
}

func (o *options) key() ([]byte, error) {
	file := o.keyFile
	if file == "" {
		file = os.Getenv("BACKUP_KEY_FILE")
	}
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseKey(raw)
}

// parseKey takes a key as it is in the Secret, as kubectl shows it, or in
// hexadecimal.
func parseKey(raw []byte) ([]byte, error) {
	if len(raw) == backup.KeySize {
		return raw, nil
	}
	text := bytes.TrimSpace(raw)
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if key, err := decode(string(text)); err == nil && len(key) == backup.KeySize {
			return key, nil
		}
	}
	return nil, fmt.Errorf("the key file holds no key: it wants %d bytes, or them in base64 or hexadecimal", backup.KeySize)
}
