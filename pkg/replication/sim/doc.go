// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sim is a replicated set in memory: members with their servers, agents, pods
// and volumes, one or two operators, the API they record in, and the network between
// them. It runs the operator's own code under schedules of faults, and checks
// invariants 1 to 3 of the design after every step: at most one member acknowledges,
// an acknowledged commit survives, nothing unknown is overwritten. It owns the model;
// what an operator does is the operator's.
//
// A schedule is a list of actions in words: "commit u0", "cut u0 u1", "operator 0
// unanswered". Everything that happens is one of them, so a schedule gives the same
// run each time, can be made shorter by leaving actions out, and is a scenario when it
// is written to a file below testdata. Random schedules are made from a seed, which is
// printed with what it found: UNIT_OPERATOR_SIM_SEED is the first one that a test runs,
// UNIT_OPERATOR_SIM_SCHEDULES how many, and go test -update writes what happens into the
// scenarios.
//
// There are no goroutines but the operators', which are coroutines: one runs until its
// next call of an interface, where the schedule decides what becomes of the call, and
// whether the operator lives on. Time is a number that calls and waits move forward.
//
// Two operators sit in it: the worker that is shipped, and a small pilot by the rules,
// with which the simulator itself is tested. pkg/replication/conformance is passed by the
// model and by real servers.
//
// Not modelled: appliers that stop on an error, groups, the second in which a source's
// agent has not yet cut off a foreign receiver.
//
// The model's rules are those of the agent (pkg/agent/roles, gate, serve, supervise)
// and of MySQL's semi-synchronous replication. Each rule of the design that keeps
// acknowledged data is a switch in Rules: with any one off, schedules must find the
// violation. That is the simulator's own test.
package sim
