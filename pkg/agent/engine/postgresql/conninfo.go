// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine"
	"github.com/upmio/unit-operator/pkg/agent/engine/internal/place"
	"github.com/upmio/unit-operator/pkg/replication/postgresql/settings"
)

// passFile in the state directory holds the channel's password. Both containers of
// the pod mount that directory, and no base backup carries it.
const passFile = "channel.pgpass"

func (e *Engine) passPath() string { return filepath.Join(e.env.StateDir, passFile) }

// conninfo is how this server reaches its upstream. application_name is the unit's
// name: by it synchronous_standby_names of the source knows this standby.
func (e *Engine) conninfo(up engine.Upstream) string {
	var b strings.Builder
	for _, kv := range append([][2]string{
		{"user", up.User},
		{"host", up.Host},
		{"port", strconv.Itoa(up.Port)},
		{"application_name", settings.ApplicationName(e.env.Name)},
		{"passfile", e.passPath()},
	}, append(ChannelTLS(e.env), [2]string{"connect_timeout", "5"})...) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(kv[0] + "=" + settings.QuoteConninfo(kv[1]))
	}
	return b.String()
}

// passLine is the only line of the password file: it serves every host, for the
// account is one per Replication.
func passLine(channel engine.ChannelAccount) []byte {
	escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace
	return []byte("*:*:*:" + escape(channel.User) + ":" + escape(channel.Password) + "\n")
}

// writePassword keeps the channel's password where the server finds it. Without an
// account the file stays as it is: it is that of an earlier call.
func (e *Engine) writePassword(channel engine.ChannelAccount) error {
	if channel.User == "" {
		return nil
	}
	return place.File(e.passPath(), passLine(channel), 0o600)
}
