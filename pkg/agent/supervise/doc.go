// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package supervise is PID 1 of the database container: it starts the server when
// pkg/agent/gate lets it, stops it, and reaps.
//
// Invariants:
//
//   - Nobody but gate.Decide lets a server start.
//   - At most one server runs on a data volume: supervise holds the lock file in
//     the agent's directory and its server inherits it, so the lock outlives a
//     supervise that was killed for as long as its server lives.
//   - An unexpected end of the server ends supervise with the same status, so
//     that restartCount, OOMKilled and the kubelet's back-off tell the truth. The
//     one exception is the status by which the server asks for a restart.
//   - A stop because of a hold that took SIGKILL ends supervise too. A restart in
//     another role goes on in place, once nothing that supervise has started lives.
//   - That the server is down is proven in observed.json with the order of the holds:
//     all it has started has exited or had SIGKILL delivered, and nothing is started
//     before a later order. The proof is made beside the loop and touches the state
//     directory only: the loop may hang with the data volume.
//   - A stop has a reason. A fence overtakes a gentler stop that is under way, and does
//     not wait for an engine or a server that hangs.
//   - Nothing here depends on serve being alive, nor on the operator.
//
// # Probes
//
// Port 2215 answers /livez, /readyz and /startupz, from before anything touches a
// disk.
//
//   - /livez: 200 as long as supervise answers at all.
//   - /readyz: 200 when the server answers a query on its socket within two
//     seconds; an answer is reused for half a second.
//   - /startupz: 200 as long as supervise answers at all. It does not wait for
//     the server: a recovery takes as long as it takes, its progress cannot be
//     seen from outside, and the only thing a failing startup probe does is to
//     kill it half way, for ever. A pod that waits for its operator, is held or
//     misses its data must not be killed either. What waits for the server is
//     readiness; a start that fails ends supervise by itself.
//
// What the pod must say: startup probe periodSeconds 1, timeoutSeconds 5,
// failureThreshold 600 (a starved node may start supervise late); liveness
// periodSeconds 10, timeoutSeconds 10, failureThreshold 30 (a server at its CPU
// limit starves supervise, too, and that is no reason to kill it); readiness
// periodSeconds 2, timeoutSeconds 3, failureThreshold 3.
// terminationGracePeriodSeconds is 600: the preStop hook takes at most 60 of them, a stop
// at the pod's end at most 530.
package supervise
