// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import "testing"

func TestSettlement(t *testing.T) {
	for _, tc := range []struct{ name, status, recorded, want string }{
		{"what came by replication and ran there runs here", eventReplicaSide, "", "ENABLE"},
		{"what was disabled there is disabled here", eventReplicaSide, eventDisabled, "DISABLE"},
		{"also if this server was the source before and ran it", eventEnabled, eventDisabled, "DISABLE"},
		{"what a user has disabled on replicas stays so", eventReplicaSide, eventReplicaSide, ""},
		{"what runs is let run", eventEnabled, "", ""},
		{"what is disabled is let be", eventDisabled, eventDisabled, ""},
		{"also if nobody has recorded it", eventDisabled, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			idle := map[string]string{"`d`.`other`": eventDisabled}
			if tc.recorded != "" {
				idle["`d`.`e`"] = tc.recorded
			}
			if got := settlement(scheduledEvent{name: "`d`.`e`", status: tc.status}, idle); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
