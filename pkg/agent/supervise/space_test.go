// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package supervise_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upmio/unit-operator/pkg/agent/agenttest"
	"github.com/upmio/unit-operator/pkg/agent/state"
)

func TestAServerThatEndsOnAFullVolumeIsSaidToLackSpace(t *testing.T) {
	for name, tc := range map[string]struct {
		free, claim, want string
	}{
		"on a claim":     {"4096", "uid-1", "exit status 1; no space is left on volume data, 4096 of 4294967296 bytes are free: a larger claim u-0-data, or less on it, ends that"},
		"on no claim":    {"0", "", "exit status 1; no space is left on volume data, 0 of 4294967296 bytes are free: a larger volume, or less on it, ends that"},
		"with space":     {"104857600", "uid-1", "exit status 1"},
		"of unknown use": {"nobody knows", "uid-1", "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			u := agenttest.NewUnit(t, false)
			p := u.Start("supervise")
			u.Desire(func(d *state.Desired) { d.ClaimUIDs = map[string]string{"data": tc.claim} })
			u.WaitState(state.StateRunning)
			if err := os.WriteFile(filepath.Join(u.Config, "full"), []byte(tc.free), 0o600); err != nil {
				t.Fatal(err)
			}
			u.Ask("exit 1")
			p.WaitExit()
			if o := u.WaitState(state.StateFailed); !strings.HasSuffix(o.Message, tc.want) {
				t.Errorf("got  %s\nwant ... %s", o.Message, tc.want)
			}
		})
	}
}

func TestAServerThatCannotBePreparedOnAFullVolumeIsSaidToLackSpace(t *testing.T) {
	u := agenttest.NewUnit(t, false)
	if err := os.WriteFile(filepath.Join(u.Config, "full"), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Its configuration cannot be written.
	if err := os.Mkdir(filepath.Join(u.Config, "fake.conf"), 0o700); err != nil {
		t.Fatal(err)
	}
	u.Desire()
	u.Start("supervise").WaitExit()
	if o := u.WaitState(state.StateFailed); !strings.Contains(o.Message, "preparing") || !strings.Contains(o.Message, "no space is left on volume data") {
		t.Errorf("got %s", o.Message)
	}
}
