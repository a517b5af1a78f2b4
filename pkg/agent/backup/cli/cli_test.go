// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/backup"
	"github.com/upmio/unit-operator/pkg/operation"
)

var key = bytes.Repeat([]byte{0xa5}, backup.KeySize)

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := Command(Engines{})
	command.SetArgs(args)
	command.SetOut(&out)
	command.SetErr(&out)
	command.SilenceUsage, command.SilenceErrors = true, true
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

// write makes an encrypted backup and returns its manifest.
func write(t *testing.T, folder string, typ operation.BackupType, base *backup.Manifest, files map[string]string) *backup.Manifest {
	t.Helper()
	l, err := backup.ParseLocation(folder + string(typ))
	if err != nil {
		t.Fatal(err)
	}
	store, err := backup.Open(t.Context(), l, backup.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	meta := backup.Meta{
		Scope: backup.Scope{Namespace: "shop", Set: "orders", Kind: backup.Physical},
		Unit:  "orders-0", Type: typ, Engine: "postgresql",
	}
	if base != nil {
		meta.Base = base.AsBase()
	}
	w, err := backup.Create(t.Context(), backup.CreateOptions{Store: store, Location: l, Compression: operation.Zstd, Key: key, Meta: meta})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for name, text := range files {
		f, err := w.File(name)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte(text))
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAChainIsListedVerifiedAndUnpackedWithoutACluster(t *testing.T) {
	folder := "file://" + t.TempDir() + "/"
	full := write(t, folder, operation.Full, nil, map[string]string{"base.tar": "full", "dir/manifest": "m"})
	write(t, folder, operation.Incremental, full, map[string]string{"base.tar": "incremental"})
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BACKUP_KEY_FILE", keyFile)

	out, err := run(t, "list", folder)
	if err != nil || strings.Count(out, "shop/orders") != 2 || !strings.Contains(out, backup.KeyID(key)) {
		t.Errorf("list: %v\n%s", err, out)
	}
	out, err = run(t, "verify", folder+"incremental")
	if err != nil || !strings.Contains(out, "full: 2 files, 5 bytes are good (content)") || !strings.Contains(out, "incremental: 1 files, 11 bytes") {
		t.Errorf("verify: %v\n%s", err, out)
	}
	to := filepath.Join(t.TempDir(), "new")
	if out, err = run(t, "restore", folder+"incremental", "--to", to); err != nil {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	for name, want := range map[string]string{"full/base.tar": "full", "full/dir/manifest": "m", "incremental/base.tar": "incremental"} {
		if raw, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(raw) != want {
			t.Errorf("%s holds %q, want %q (%v)", name, raw, want, err)
		}
	}
	if _, err := run(t, "restore", folder+"incremental", "--to", to); err == nil {
		t.Error("what is there was written over")
	}
	if out, err = run(t, "restore", folder+"full", "--file", "base.tar"); err != nil || out != "full" {
		t.Errorf("restore --file: %v, %q", err, out)
	}
}

func TestAWrongKeyUnpacksNothing(t *testing.T) {
	folder := "file://" + t.TempDir() + "/"
	write(t, folder, operation.Full, nil, map[string]string{"f": "x"})
	keyFile, to := filepath.Join(t.TempDir(), "key"), filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(keyFile, bytes.Repeat([]byte{1}, backup.KeySize), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := run(t, "restore", folder, "--to", to, "--key-file", keyFile)
	if backup.ReasonOf(err) != backup.ReasonKey {
		t.Errorf("error is %v, want one of the key", err)
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("the directory was made")
	}
}

func TestKeysAreReadAsBytesBase64AndHexadecimal(t *testing.T) {
	for name, raw := range map[string]string{"bytes": string(key), "base64": base64.StdEncoding.EncodeToString(key) + "\n", "hexadecimal": hex.EncodeToString(key)} {
		if got, err := parseKey([]byte(raw)); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	if _, err := parseKey([]byte("sesame")); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("error is %v", err)
	}
}

func TestCredentialsComeFromTheDirectoryOrTheEnvironment(t *testing.T) {
	for _, variable := range variables {
		t.Setenv(variable, "")
	}
	t.Setenv("S3_ENDPOINT", "http://environment")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s1")
	t.Setenv("S3_CA_FILE", "")
	c, err := (&options{}).credentials()
	if err != nil || c.Endpoint != "http://environment" || c.SecretKey != "s1" || !c.PathStyle {
		t.Errorf("from the environment: %s, %v", c, err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"endpoint": "http://directory\n", "secretKey": "s2\n", "pathStyle": "false"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err = (&options{secretDir: dir}).credentials()
	if err != nil || c.Endpoint != "http://directory" || c.SecretKey != "s2" || c.PathStyle {
		t.Errorf("from the directory: %s, %v", c, err)
	}
}
