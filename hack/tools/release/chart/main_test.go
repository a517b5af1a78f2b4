// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"log/slog"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	// Helm mentions each time that the chart's files are links.
	slog.SetLogLoggerLevel(slog.LevelWarn)
	os.Exit(m.Run())
}
