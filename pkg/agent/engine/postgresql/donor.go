// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import "github.com/upmio/unit-operator/pkg/agent/engine"

// Of the package actions: what copying another member needs.

// ChannelTLS is by what a member knows another one that it connects to: settings of a
// connection string.
func ChannelTLS(env engine.Env) [][2]string {
	if ca := engine.ChannelCA(env); ca != "" {
		return [][2]string{{"sslmode", "verify-ca"}, {"sslrootcert", ca}}
	}
	return [][2]string{{"sslmode", "prefer"}}
}
