// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"path/filepath"
)

// ChannelCA is the file of the authority by which a replication channel knows its
// upstream: that of the certificate material that the unit shares with the others of
// its set. Empty where there is none, or no certificate with it that a server could
// show: then channels are encrypted, and take any certificate.
func ChannelCA(env Env) string {
	if env.Lookup == nil {
		return ""
	}
	dir := env.Lookup("CERT_MOUNT")
	if dir == "" || !isFile(filepath.Join(dir, "ca.crt")) {
		return ""
	}
	for _, certificate := range []string{"tls.crt", "server.crt"} {
		if isFile(filepath.Join(dir, certificate)) {
			return filepath.Join(dir, "ca.crt")
		}
	}
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
