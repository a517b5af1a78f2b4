// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

// commit is one that a client waits for.
type commit struct {
	transaction transaction
	// at is its place in the binary log.
	at int
	// own: it is the agent's, no client waits for it.
	own bool
	// openings is how often a source had been opened when it was begun.
	openings int
}

// server is a MySQL: its volume, and its process while up.
type server struct {
	w      *World
	number int
	pod    *pod
	volume
	// up: the process runs. What follows is the process's.
	up bool
	// life counts the starts: connections end with it.
	life                    int
	readOnly, superReadOnly bool
	semiSync                struct {
		source, replica bool
		waitFor         int
	}
	waiting []commit
	// acknowledged is how far each receiver has acknowledged the binary log. One that has
	// left still counts.
	acknowledged [maxServers]int
	// attached are the connections of receivers, by server.
	attached [maxServers]*connection
	// receiver says whether the receiver's thread runs, receiverError why it stopped.
	receiver      bool
	receiverError int
	upstream      *connection
	applying      bool
	applierError  int
	// promised is how many copies next to its own a commit has when it is acknowledged, by
	// the record that was last in force.
	promised int
	// generation of its data.
	generation int64
	// tenure in which the server was opened last, see record.
	tenure int
}

// volume is what survives the process.
type volume struct {
	// binlog is synced with each commit. purged came with the data, not as binlog.
	binlog           []transaction
	executed, purged set
	// relay was received and is not applied; unsynced of it, at its end, go with the
	// node's power.
	relay     []transaction
	unsynced  int
	retrieved set
	channel   channel
	// evidence was copied next to the data.
	evidence set
	// hung: nothing on it ends, and the process that asks waits.
	hung bool
}

// channel is what CHANGE REPLICATION SOURCE TO has set.
type channel struct {
	// host is the member's number, -1 without a channel.
	host int
	user string
}

// connection of a receiver to its source.
type connection struct {
	from, to         *server
	fromLife, toLife int
	// acknowledges was asked when it was made.
	acknowledges bool
	// stored is what the receiver has stored and not acknowledged yet: a place in the
	// source's binary log, 0 if nothing.
	stored int
}

func newServer(w *World, number int) *server {
	return &server{w: w, number: number, volume: volume{channel: channel{host: -1}}}
}

func (s *server) uuid() string { return uuids[s.number] }

// all is what the server has, applied or not.
func (s *server) all() set {
	a := s.executed
	for _, t := range s.binlog {
		a.add(t)
	}
	for _, t := range s.relay {
		a.add(t)
	}
	return a
}

// committing is what the binary log has and is not executed: it waits.
func (s *server) committing() (c set) {
	for _, w := range s.waiting {
		c.add(w.transaction)
	}
	return c
}

// runs says whether the process can do anything now.
func (s *server) runs() bool { return s.up && !s.hung }

// start makes the process run. Transactions that the binary log has are recovered,
// acknowledged or not.
func (s *server) start() {
	s.life++
	s.acknowledged = [maxServers]int{}
	s.up, s.readOnly, s.superReadOnly = true, true, true
	s.semiSync.source, s.semiSync.replica, s.semiSync.waitFor = false, false, 0
	s.receiver, s.receiverError, s.applying, s.applierError = false, 0, false, 0
	if !s.w.Rules.KeepRelayLog {
		// It is fetched again from the source, from where the applier is.
		s.dropReceived()
	}
}

func (s *server) dropReceived() {
	s.relay, s.unsynced, s.retrieved = nil, 0, set{}
}

// end is the end of the process, however it came: clients that waited got an error,
// connections are gone.
func (s *server) end() {
	s.up = false
	s.waiting = nil
	for _, t := range s.binlog {
		s.executed.add(t)
	}
	for _, c := range s.attached {
		if c != nil {
			s.detach(c)
		}
	}
	s.disconnect()
}

// terminate is SIGTERM: sessions that wait for an acknowledgement leave the wait, and
// their clients are told that all is well.
func (s *server) terminate() {
	s.stopWaiting()
	s.end()
}

// stopWaiting switches semi-sync off, by which waiting commits are acknowledged.
func (s *server) stopWaiting() {
	s.semiSync.source = false
	s.release()
}

// powerFailure takes what was not synced.
func (s *server) powerFailure() {
	if s.up {
		s.end()
	}
	for range s.unsynced {
		last := s.relay[len(s.relay)-1]
		s.relay = s.relay[:len(s.relay)-1]
		s.retrieved[last.server][(last.number-1)/64] &^= 1 << ((last.number - 1) % 64)
	}
	s.unsynced = 0
}

// commit is a COMMIT, of a client unless it is the agent's own. It says whether the
// server took it.
func (s *server) commit(own bool) bool {
	if !s.runs() || s.readOnly {
		return false
	}
	var number uint8
	for _, t := range s.binlog {
		if int(t.server) == s.number {
			number = max(number, t.number)
		}
	}
	for n := maxNumber; n > int(number); n-- {
		if s.purged.has(transaction{uint8(s.number), uint8(n)}) {
			number = uint8(n)
		}
	}
	if number == maxNumber {
		return false
	}
	t := transaction{uint8(s.number), number + 1}
	s.binlog = append(s.binlog, t)
	c := commit{t, len(s.binlog), own, s.w.openings}
	if s.semiSync.source {
		s.waiting = append(s.waiting, c)
		return true
	}
	s.complete(c)
	return true
}

// complete is a commit's end: the client is told.
func (s *server) complete(c commit) {
	s.executed.add(c.transaction)
	if !c.own {
		s.w.acknowledged(s, c)
	}
}

// release completes the commits that wait no longer.
func (s *server) release() {
	for len(s.waiting) > 0 && (!s.semiSync.source || s.acknowledgements(s.waiting[0].at) >= s.semiSync.waitFor) {
		c := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.complete(c)
	}
}

// acknowledgements counts the receivers that have acknowledged the place in the
// binary log.
func (s *server) acknowledgements(at int) (n int) {
	for _, a := range s.acknowledged {
		if a >= at {
			n++
		}
	}
	return n
}

// clients counts the receivers that acknowledge.
func (s *server) clients() (n int) {
	for _, c := range s.attached {
		if c != nil && c.acknowledges {
			n++
		}
	}
	return n
}

func (s *server) detach(c *connection) {
	if s.attached[c.from.number] == c {
		s.attached[c.from.number] = nil
	}
	if c.from.upstream == c {
		c.from.upstream = nil
	}
}

// disconnect ends the receiver's connection.
func (s *server) disconnect() {
	if c := s.upstream; c != nil {
		c.to.detach(c)
	}
}

// live says whether both ends are still the processes that made the connection.
func (c *connection) live() bool {
	return c.from.up && c.to.up && c.from.life == c.fromLife && c.to.life == c.toLife
}
