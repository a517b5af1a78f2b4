// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package optest has an operation in memory, for tests of actions.
package optest

import (
	"encoding/json"
	"sync"

	"github.com/upmio/unit-operator/pkg/agent/operations"
	"github.com/upmio/unit-operator/pkg/operation"
)

// Op is an operations.Op. Its zero value is an operation without an id that has
// entered no phase.
type Op struct {
	IDValue, ActionValue string
	ParamsValue          operation.Params
	SecretsValue         map[string][]byte
	// Fault is asked before each phase is entered; an error is SetPhase's. A test stops
	// an action there to call it anew, as after a restart of the agent.
	Fault func(phase string) error

	mu     sync.Mutex
	phase  string
	data   json.RawMessage
	phases []string
	texts  []string
	done   int64
	total  int64
}

var _ operations.Op = &Op{}

// ID implements operations.Op.
func (o *Op) ID() string { return o.IDValue }

// Action implements operations.Op.
func (o *Op) Action() string { return o.ActionValue }

// Params implements operations.Op.
func (o *Op) Params() operation.Params { return o.ParamsValue }

// Secrets implements operations.Op.
func (o *Op) Secrets() map[string][]byte { return o.SecretsValue }

// Phase implements operations.Op.
func (o *Op) Phase() (string, json.RawMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.phase, o.data
}

// SetPhase implements operations.Op.
func (o *Op) SetPhase(name string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if o.Fault != nil {
		if err := o.Fault(name); err != nil {
			return err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.phase, o.data = name, raw
	o.phases = append(o.phases, name)
	return nil
}

// Progress implements operations.Op.
func (o *Op) Progress(text string, done, total int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.texts) == 0 || o.texts[len(o.texts)-1] != text {
		o.texts = append(o.texts, text)
	}
	o.done, o.total = done, total
}

// Phases entered so far, in order.
func (o *Op) Phases() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.phases...)
}

// Texts of progress so far, and the last figures.
func (o *Op) Texts() (texts []string, done, total int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.texts...), o.done, o.total
}
