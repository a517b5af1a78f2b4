// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"strings"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/child"
)

// options are those of the configuration file that are for the server, as
// mysqld itself reads them, by name with underscores.
func (e *Engine) options(ctx context.Context, mysqld string) (map[string]string, error) {
	out, err := child.Run(ctx, child.Command{
		Path: mysqld,
		Args: []string{"--defaults-file=" + e.configPath(), "--print-defaults"},
		Env:  e.env.Environ,
	})
	if err != nil {
		return nil, err
	}
	return parseDefaults(out), nil
}

// parseDefaults reads what --print-defaults prints: a sentence, then the options
// on one line. A value with " --" in it would be read as two options; of the
// options looked at here none has one.
func parseDefaults(out string) map[string]string {
	options := map[string]string{}
	_, line, _ := strings.Cut(out, "arguments:\n")
	for field := range strings.FieldsSeq(line) {
		option, ok := strings.CutPrefix(field, "--")
		if !ok {
			continue
		}
		name, value, _ := strings.Cut(option, "=")
		name = strings.TrimPrefix(strings.ReplaceAll(name, "-", "_"), "loose_")
		options[name] = value
	}
	return options
}
