// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestChannelCA(t *testing.T) {
	for name, tc := range map[string]struct {
		files []string
		want  bool
	}{
		"a certificate and its authority":     {[]string{"ca.crt", "tls.crt", "tls.key"}, true},
		"by the other name":                   {[]string{"ca.crt", "server.crt"}, true},
		"an authority that no server shows":   {[]string{"ca.crt"}, false},
		"a certificate without an authority":  {[]string{"tls.crt", "tls.key"}, false},
		"a Secret that has not been mounted":  {nil, false},
		"what is called so and is no content": {[]string{"ca.crt/x", "tls.crt"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range tc.files {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want := ""
			if tc.want {
				want = filepath.Join(dir, "ca.crt")
			}
			env := Env{Lookup: func(name string) string { return map[string]string{"CERT_MOUNT": dir}[name] }}
			if got := ChannelCA(env); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if got := ChannelCA(Env{Lookup: func(string) string { return "" }}); got != "" {
		t.Errorf("without a mount: %q", got)
	}
}
