// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package actions

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agent/engine/internal/sidedata"
	"github.com/upmio/unit-operator/pkg/agent/operations"
)

func TestADonorIsBlockedWhenNothingIsAcknowledgedForAWhile(t *testing.T) {
	type look struct {
		after                 time.Duration
		waiting, acknowledged int64
	}
	for name, tc := range map[string]struct {
		looks []look
		want  bool
	}{
		"commits wait and none is acknowledged": {[]look{{0, 2, 7}, {5 * time.Second, 2, 7}, {10 * time.Second, 3, 7}}, true},
		"not for long enough":                   {[]look{{0, 2, 7}, {9 * time.Second, 2, 7}}, false},
		"a busy source acknowledges meanwhile":  {[]look{{0, 2, 7}, {5 * time.Second, 2, 8}, {10 * time.Second, 2, 9}}, false},
		"nothing waits":                         {[]look{{0, 0, 7}, {20 * time.Second, 0, 7}}, false},
		"nothing waited in between":             {[]look{{0, 1, 7}, {6 * time.Second, 0, 7}, {12 * time.Second, 1, 7}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var b blocked
			begun, got := time.Unix(1000, 0), false
			for _, l := range tc.looks {
				got = b.since(begun.Add(l.after), l.waiting, l.acknowledged) >= blockedAfter
			}
			if got != tc.want {
				t.Errorf("blocked: %v", got)
			}
		})
	}
}

func TestAnInterruptedProvisionIsBegunAnewUntilItsCopyIsWhole(t *testing.T) {
	for phase, want := range map[string]operations.Recovery{
		"": operations.RecoverWithSecrets, sidedata.PhaseBuild: operations.RecoverWithSecrets,
		sidedata.PhaseExchange: operations.RecoverAtOnce, sidedata.PhaseBack: operations.RecoverAtOnce,
	} {
		if got := (provision{}).Recover(phase); got != want {
			t.Errorf("in phase %q: %s, want %s", phase, got, want)
		}
	}
}

// What a copy has written is removed next: not while the server may still write it.
func TestACopyThatIsGivenUpForItsDonorIsWaitedFor(t *testing.T) {
	asked := 0
	untilEnded(t.Context(), func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("the server lets nobody in")
		}
		return nil
	}, time.Millisecond)
	if asked != 3 {
		t.Errorf("asked %d times whether a copy runs, want until none does", asked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	untilEnded(ctx, func(context.Context) error {
		cancel()
		return errors.New("the operation is cancelled, and its Abandon waits")
	}, time.Hour)
}
