// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"regexp"
	"testing"
	"time"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/replication/topology"
)

func TestTheIdentityOfACopyIsOneThatAgentsTake(t *testing.T) {
	form := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)
	target := agentclient.Target{UnitUID: "60f566f6-115f-4500-ae6a-7b9c075c45e6"}
	step := topology.Step{ServerID: "555563c9-ebd2-11f1-9bb2-b6e1876510c0", Generation: 1234567890}
	step.Upstream.ServerID = "3e3b87d5-ebd2-11f1-8dc2-263f150bb720"
	first := provisionID(target, step, 0)
	if !form.MatchString(first) {
		t.Errorf("an agent refuses %q", first)
	}
	again := step
	again.Upstream.ServerID = "4617ac18-ebd2-11f1-a13f-ca24e5f87242"
	if id := provisionID(target, again, 0); id != first {
		t.Errorf("a copy that runs is not found by another donor: %q and %q", first, id)
	}
	other := map[string]string{first: "the copy"}
	for name, change := range map[string]func(*agentclient.Target, *topology.Step, *int){
		"another unit":       func(target *agentclient.Target, _ *topology.Step, _ *int) { target.UnitUID = "other" },
		"another server":     func(_ *agentclient.Target, step *topology.Step, _ *int) { step.ServerID = "other" },
		"another generation": func(_ *agentclient.Target, step *topology.Step, _ *int) { step.Generation++ },
		"one that failed":    func(_ *agentclient.Target, _ *topology.Step, ended *int) { *ended++ },
	} {
		target, step, ended := target, step, 0
		change(&target, &step, &ended)
		id := provisionID(target, step, ended)
		if before, taken := other[id]; taken {
			t.Errorf("%s has the identity of %s", name, before)
		}
		other[id] = name
	}
}

func TestAMemberWhoseDataIsBeingReplacedIsSeenToBe(t *testing.T) {
	o := &agentclient.Observation{Status: &agentclient.Status{}, Busy: "provision-1 (provision)"}
	if got := observed(time.Time{}, o).Busy; got != o.Busy {
		t.Errorf("%q, want %q", got, o.Busy)
	}
}
