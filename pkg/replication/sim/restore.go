// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
)

// askRestore is a call that replaces the source's data with a backup, which is what the
// source has now, but for its last transaction. There is none where the world has too few
// servers for the copies that come of it.
func (w *World) askRestore() {
	if w.journal.restore == "" && w.servers+len(w.members) < maxServers-1 {
		w.journal.restores++
		w.journal.restore = types.UID(fmt.Sprintf("restore-%d", w.journal.restores))
	}
}

// forgetRestore is a call that was given up: its outcome is not known, and its agent goes
// on.
func (w *World) forgetRestore() { w.journal.restore = "" }

// restoring is one look at the call: it begins once it may, and ends with the source's
// server replaced by another one.
func (p *pod) restoring() {
	w := p.m.w
	r := w.journal.recorded.Data.Replacement
	switch {
	case !p.alive || w.journal.recorded.Source != p.m.name && p.restore == "":
	case p.restore == "" && r != nil && r.By != "" && r.By == w.journal.restore && p.server.runs() && p.desired.record.Role == agentclient.RoleSource:
		p.restore = r.By
		w.trace("%s of %s begins", p.restore, p.m.name)
	case p.restore != "" && p.server.runs() && w.servers < maxServers-1:
		w.restored(p)
		if w.journal.restore == p.restore {
			w.journal.restore = ""
		}
		p.restore = ""
	}
}

// restored puts a backup in the place of a pod's data. What it lacks is given up by who
// asked for it; that it was restored is as good as a commit that nobody else has.
func (w *World) restored(p *pod) {
	old := p.server
	old.end()
	s := newServer(w, w.servers)
	w.servers++
	s.generation = old.generation + 1
	if n := len(old.binlog); n > 0 {
		var last set
		last.add(old.binlog[n-1])
		s.executed = old.executed.without(&last)
	} else {
		s.executed = old.executed
	}
	mark := transaction{uint8(s.number), 1}
	s.executed.add(mark)
	s.purged = s.executed
	s.pod = p
	p.server, p.m.server = s, s
	p.restartAgent()
	w.trace("%s is restored", p.m.name)
	w.acked = [maxMembers]set{}
	w.acked[0].add(mark)
	// Its tenure begins: what others had of it counts no more.
	w.opened = s
}
