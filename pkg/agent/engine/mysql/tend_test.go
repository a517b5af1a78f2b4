// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

func TestForeignReceivers(t *testing.T) {
	sync := func(ids ...string) engine.Durability {
		d := engine.Durability{Mode: engine.DurabilitySync, W: 1}
		for _, id := range ids {
			d.Members = append(d.Members, engine.DurabilityMember{Name: "unit-" + id, ServerID: id})
		}
		return d
	}
	member := dumpThread{id: 1, serverUUID: "a", acknowledging: true}
	foreign := dumpThread{id: 2, serverUUID: "b", acknowledging: true}
	silent := dumpThread{id: 3, serverUUID: "c"}
	all := []dumpThread{member, foreign, silent}
	for _, tc := range []struct {
		name       string
		durability engine.Durability
		want       []dumpThread
		unknown    string
	}{
		{"one that acknowledges and is no member is foreign", sync("a"), []dumpThread{foreign}, ""},
		{"members are not", sync("a", "b"), nil, ""},
		{"without acknowledgements nobody is", engine.Durability{Mode: engine.DurabilityAsync}, nil, ""},
		{"nobody is while a member cannot be recognised", sync("a", ""), nil, "unit-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, unknown := foreignReceivers(all, tc.durability)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(dumpThread{})); diff != "" || unknown != tc.unknown {
				t.Errorf("%s, unknown %q", diff, unknown)
			}
		})
	}
}

func TestLostAcknowledgement(t *testing.T) {
	at := time.Unix(1000, 0)
	waits := func(acknowledged int64, sessions, clients int) observed {
		o := observed{}
		o.SemiSync = engine.MySQLSemiSync{SourceActive: true, WaitFor: 1, WaitingSessions: sessions, Clients: clients, Acknowledged: acknowledged}
		return o
	}
	type look struct {
		after time.Duration
		o     observed
	}
	for _, tc := range []struct {
		name  string
		looks []look
		want  bool
	}{
		{"commits that wait for two seconds with a replica attached", []look{{0, waits(7, 1, 1)}, {2 * time.Second, waits(7, 1, 1)}}, true},
		{"not yet two seconds", []look{{0, waits(7, 1, 1)}, {1900 * time.Millisecond, waits(7, 1, 1)}}, false},
		{"others were acknowledged meanwhile", []look{{0, waits(7, 1, 1)}, {time.Second, waits(8, 1, 1)}, {2 * time.Second, waits(8, 1, 1)}}, false},
		{"nothing waited in between", []look{{0, waits(7, 1, 1)}, {time.Second, waits(7, 0, 1)}, {2 * time.Second, waits(7, 1, 1)}}, false},
		{"no replica is attached: it would wait as well", []look{{0, waits(7, 1, 0)}, {5 * time.Second, waits(7, 1, 0)}}, false},
		{"a replica has come just now", []look{{0, waits(7, 1, 0)}, {5 * time.Second, waits(7, 1, 1)}}, false},
		{"the first look finds one waiting", []look{{5 * time.Second, waits(7, 1, 1)}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var a acknowledgements
			var got bool
			for _, l := range tc.looks {
				got = a.lost(at.Add(l.after), l.o)
			}
			if got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
	t.Run("not while the agent's own transaction waits", func(t *testing.T) {
		a := acknowledgements{committing: true}
		a.lost(at, waits(7, 1, 1))
		if a.lost(at.Add(time.Minute), waits(7, 1, 1)) {
			t.Error("a second one was committed")
		}
	})
}

func TestNextStep(t *testing.T) {
	upstream := engine.Upstream{Name: "db-0", Host: "db-0", Port: 3306, ServerID: "a"}
	for _, tc := range []struct {
		name     string
		receiver string
		channel  engine.MySQLChannel
		want     step
		refused  string
	}{
		{"a receiver that stopped is started", "OFF", engine.MySQLChannel{SourceUUID: "b"}, stepStart, ""},
		{"one that connects is waited for", "CONNECTING", engine.MySQLChannel{ReceiverErrorNumber: 2003}, stepWait, ""},
		{"one with an old password is started again", "CONNECTING", engine.MySQLChannel{ReceiverErrorNumber: 1045}, stepRestart, ""},
		{"one that receives is left alone", "ON", engine.MySQLChannel{SourceUUID: "a"}, stepNone, ""},
		{"one that has not heard the server's identity yet too", "ON", engine.MySQLChannel{}, stepNone, ""},
		{"one that receives from another server is stopped", "ON", engine.MySQLChannel{SourceUUID: "b"}, stepNone, "is the server b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := observed{receiver: tc.receiver}
			o.Channel = &tc.channel
			got, err := nextStep(o, upstream)
			if got != tc.want || (err == nil) != (tc.refused == "") || err != nil && !strings.Contains(err.Error(), tc.refused) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestStopSteps(t *testing.T) {
	term := func(wait time.Duration) []engine.StopStep {
		return []engine.StopStep{{Signal: syscall.SIGTERM, Wait: wait}}
	}
	for _, tc := range []struct {
		name   string
		reason engine.StopReason
		err    error
		want   []engine.StopStep
	}{
		{"a closed server has time to flush", engine.StopPodEnd, nil, term(stopWait)},
		{"in a fence it has little", engine.StopFence, nil, term(fenceStopWait)},
		{"before another role it has time", engine.StopRestart, nil, term(stopWait)},
		{"one that cannot be closed is killed: pod end", engine.StopPodEnd, errors.New("x"), nil},
		{"one that cannot be closed is killed: fence", engine.StopFence, errors.New("x"), nil},
		{"one that cannot be closed is killed: restart", engine.StopRestart, errors.New("x"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, stopSteps(tc.reason, tc.err)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if closeWait+fenceCloseWait+stopWait > 530*time.Second {
		t.Error("a stop does not fit the packages' grace period")
	}
}

func TestParseDumpThreads(t *testing.T) {
	got, err := parseDumpThreads("11\tuuid-1\t1\t10.0.0.1\n12\t\t0\tlocalhost")
	want := []dumpThread{{11, "uuid-1", true, "10.0.0.1"}, {12, "", false, "localhost"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(dumpThread{})); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if got, err := parseDumpThreads(""); err != nil || len(got) > 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
	if _, err := parseDumpThreads("x"); err == nil {
		t.Error("a line of another form was taken")
	}
}

func TestSplitError(t *testing.T) {
	for text, want := range map[string]int{"1062 Worker 1 failed executing transaction 'a:5'": 1062, "": 0, "none": 0} {
		if number, message := splitError(text); number != want || (want != 0) != (message != "") {
			t.Errorf("%q: %d, %q", text, number, message)
		}
	}
}
