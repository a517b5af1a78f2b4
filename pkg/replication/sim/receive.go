// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sim

// errorPurged of a receiver: the source has purged what the replica needs, or the replica
// has transactions of the source that the source has not.
const errorPurged = 1236

// receive is one step of a receiver: it connects, or it stores one transaction.
func (s *server) receive() {
	if !s.runs() || !s.receiver {
		return
	}
	c := s.upstream
	if c != nil && !c.live() {
		s.disconnect()
		c = nil
	}
	if c == nil {
		s.connect()
		return
	}
	if !s.w.linked(s.number, c.to.number) {
		// It notices by the heartbeats that do not come.
		s.disconnect()
		return
	}
	if !c.to.runs() {
		return
	}
	has := s.all()
	for i, t := range c.to.binlog {
		if has.has(t) {
			continue
		}
		s.relay = append(s.relay, t)
		s.retrieved.add(t)
		if !s.w.Rules.SyncRelayLog {
			s.unsynced++
		}
		if c.acknowledges {
			c.stored = i + 1
		}
		return
	}
}

// connect attaches the receiver to the server that its channel's host name leads to.
func (s *server) connect() {
	if s.channel.host < 0 {
		return
	}
	source := s.w.members[s.channel.host].server
	if source == s || !source.runs() || !s.w.linked(s.number, source.number) {
		return
	}
	has, there := s.all(), source.all()
	lacks := source.purged.without(&has)
	var own set
	own[source.number] = has[source.number]
	if !lacks.empty() || !there.contains(&own) {
		s.receiver, s.receiverError = false, errorPurged
		return
	}
	c := &connection{from: s, to: source, fromLife: s.life, toLife: source.life, acknowledges: s.semiSync.replica}
	if s == s.w.foreign && s.w.Rules.ForeignReceivers && source.pod.desired.record.Durability.Sync {
		return
	}
	if before := source.attached[s.number]; before != nil {
		source.detach(before)
	}
	source.attached[s.number], s.upstream, s.receiverError = c, c, 0
}

// acknowledge brings the receiver's acknowledgement to the source.
func (s *server) acknowledge() {
	c := s.upstream
	if c == nil || c.stored == 0 || !c.live() || !c.to.runs() || !s.w.linked(s.number, c.to.number) {
		return
	}
	c.to.acknowledged[s.number] = max(c.to.acknowledged[s.number], c.stored)
	c.stored = 0
	c.to.release()
}

// acknowledgeAll is a second in which the receivers that are attached go on.
func (s *server) acknowledgeAll() {
	for range len(s.waiting) {
		for _, c := range s.attached {
			if c != nil && c.acknowledges {
				c.from.receive()
				c.from.acknowledge()
			}
		}
	}
}

// apply is one transaction of the applier.
func (s *server) apply() {
	if !s.runs() || !s.applying || len(s.relay) == 0 {
		return
	}
	t := s.relay[0]
	s.relay = s.relay[1:]
	s.unsynced = min(s.unsynced, len(s.relay))
	if !s.executed.has(t) {
		s.binlog = append(s.binlog, t)
		s.executed.add(t)
	}
}

// stopReceiver is STOP REPLICA IO_THREAD.
func (s *server) stopReceiver() {
	s.receiver = false
	s.disconnect()
}

// changeSource is CHANGE REPLICATION SOURCE TO: what was received and not applied is
// gone.
func (s *server) changeSource(c channel) {
	var dropped set
	for _, t := range s.relay {
		dropped.add(t)
	}
	s.stopReceiver()
	s.dropReceived()
	s.channel = c
	s.w.destroyed(s, &dropped, "the channel was changed")
}
