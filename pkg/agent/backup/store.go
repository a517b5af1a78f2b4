// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"
)

// Object is one object of a store.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Store keeps objects by key. Keys have no leading slash.
type Store interface {
	// Put stores what r gives until io.EOF. The object appears complete or not at
	// all: an error of r or of the store leaves nothing.
	Put(ctx context.Context, key string, r io.Reader) error
	// Get fails with ReasonNotFound if there is no such object.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// List returns the objects whose keys begin with prefix, in no order; without
	// recursive only those with no slash after it.
	List(ctx context.Context, prefix string, recursive bool) ([]Object, error)
	// Delete removes an object and unfinished uploads of it. That there is none is
	// success.
	Delete(ctx context.Context, key string) error
	// Free returns how many bytes more it takes; false if nobody knows.
	Free(ctx context.Context) (int64, bool, error)
	// Endpoint is what people know the store by. No credentials.
	Endpoint() string
}

// Credentials of S3. A directory needs none.
type Credentials struct {
	// Endpoint is a URL or host[:port], which then is https; empty for AWS.
	Endpoint, Region     string
	PathStyle            bool
	AccessKey, SecretKey string
	// CA is PEM, trusted beside the public ones.
	CA []byte
}

// String hides the keys from %v.
func (c Credentials) String() string { return "credentials for " + c.Endpoint }

// GoString hides the keys from %#v.
func (c Credentials) GoString() string { return c.String() }

// KeySize of encryption keys.
const KeySize = 32

// CredentialsFrom reads the secrets of an operation: s3.endpoint, s3.region,
// s3.pathStyle, s3.accessKey, s3.secretKey, s3.ca.
func CredentialsFrom(secrets map[string][]byte) (Credentials, error) {
	get := func(key string) string { return strings.TrimSpace(string(secrets["s3."+key])) }
	c := Credentials{
		Endpoint:  get("endpoint"),
		Region:    get("region"),
		AccessKey: get("accessKey"),
		SecretKey: get("secretKey"),
		CA:        secrets["s3.ca"],
		// Names of buckets as hosts want a wildcard in DNS, which only AWS has.
		PathStyle: get("endpoint") != "",
	}
	if s := get("pathStyle"); s != "" {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return Credentials{}, failure(ReasonCredentials, "", nil, "pathStyle is neither true nor false")
		}
		c.PathStyle = b
	}
	return c, nil
}

// KeyFrom returns encryption.key of the secrets of an operation, nil if there is
// none.
func KeyFrom(secrets map[string][]byte) ([]byte, error) {
	key := secrets["encryption.key"]
	if len(key) == 0 {
		return nil, nil
	}
	if len(key) != KeySize {
		return nil, failure(ReasonKey, "", nil, "the encryption key has %d bytes; AES-256 takes %d", len(key), KeySize)
	}
	return key, nil
}

// Open returns the store of a location after having asked it for what is there: that
// it cannot be reached, and refuses the credentials, is known before a byte is read
// from a database.
func Open(ctx context.Context, l Location, creds Credentials) (Store, error) {
	if l.Bucket == "" {
		return openFile(l)
	}
	return openS3(ctx, l, creds)
}
