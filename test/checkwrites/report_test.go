// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	round := func(n int, f Fault, v Victim) Round {
		return Round{Number: n, Strikes: []Strike{{Fault: f, Victim: v}}}
	}
	good := Verdict{Acknowledged: 100, Unknown: 2}
	lost := Verdict{Acknowledged: 200, Unknown: 3, Lost: []int64{150, 151}}
	r := Report{Seed: 4, Mode: "rpl_async", Clients: 5, Rate: 50, Results: []Result{
		{Round: round(1, Switchover, Nobody), Gap: 800 * time.Millisecond, Switchovers: 1, Verdict: good},
		{Round: round(2, Switchover, Nobody), Gap: 9 * time.Second, Stall: time.Second, Switchovers: 1, Verdict: good},
		{Round: round(3, PowerFailure, Source), Gap: 7 * time.Second, Refused: []string{"DataLossRisk"}, Unsynced: 1, Gone: 1, Verdict: good},
		{Round: round(4, ForcedFailover, Nobody), Gap: 3 * time.Second, Failovers: 1, Refused: []string{"FenceNotProven"}, Rebuilt: 1, Verdict: lost},
		{Round: round(5, Switchover, Nobody), Gap: time.Second, Switchovers: 1, Verdict: lost, Unrecorded: 2},
		{Round: round(6, PowerFailure, Source), Gap: 4 * time.Second, Failovers: 1, Verdict: lost},
	}}
	want := strings.Join([]string{
		"mode rpl_async, seed 4, 6 rounds; 5 clients at 50 writes a second in all, connect timeout 1s, statement timeout 2s",
		"rows: 200 acknowledged, 3 of unknown outcome; 2 lost, 0 doubled",
		"two members that acknowledged at the same time: 2",
		"3 switchovers, 2 failovers; rounds in which a rule refused one and none was made: 1, DataLossRisk 1, FenceNotProven 1",
		"members rebuilt with permission: 1; files not synced before a power failure: 1, gone after it: 1",
		"rounds in which the machine stood still for more than 300ms, and whose gaps do not count: 1",
		"gap of the worst client      rounds      p50      p99      max",
		"any, with a failover              1    4.00s    4.00s    4.00s",
		"forced-failover                   1    3.00s    3.00s    3.00s",
		"power of source                   2    4.00s    7.00s    7.00s",
		"switchover                        2    0.80s    1.00s    1.00s",
		"",
	}, "\n")
	if d := cmp.Diff(want, r.String()); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
	problems := []string{
		"round 4: forced-failover (after 0s, for 0s): lost: of 200 acknowledged rows 2 are not on the source: 150 151",
		"round 5: switchover (after 0s, for 0s): two by turns: the member that acknowledges changed 2 times more than the Replication has recorded",
	}
	if d := cmp.Diff(problems, r.Problems()); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
}

func TestAClientThatIsNotServedIsNamed(t *testing.T) {
	h := NewHistory()
	for client := range 2 {
		h.add(Write{ID: h.ID(), Client: client, Begun: at(0), Ended: at(10), Acknowledged: true}, nil)
	}
	h.add(Write{ID: h.ID(), Client: 0, Begun: at(110), Ended: at(120), Acknowledged: true}, nil)
	// It began earlier: it may have been acknowledged by whoever was the source then.
	h.add(Write{ID: h.ID(), Client: 1, Begun: at(90), Ended: at(130), Acknowledged: true}, nil)
	h.add(Write{ID: h.ID(), Client: 1, Begun: at(140), Ended: at(150)}, errors.New("gone"))
	client, err, waiting := h.Waiting(at(100), 2)
	if !waiting || client != 1 || err == nil || err.Error() != "gone" {
		t.Errorf("client %d, %v, waiting %v; want 1, gone, true", client, err, waiting)
	}
	h.add(Write{ID: h.ID(), Client: 1, Begun: at(160), Ended: at(170), Acknowledged: true}, nil)
	if client, _, waiting := h.Waiting(at(100), 2); waiting {
		t.Errorf("client %d waits", client)
	}
}
