// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ActionOf parameters.
func ActionOf(p Params) string {
	switch p.(type) {
	case *LogicalBackup:
		return ActionLogicalBackup
	case *PhysicalBackup:
		return ActionPhysicalBackup
	case *Restore:
		return ActionRestore
	case *GTIDPurge:
		return ActionGTIDPurge
	case *SetVariable:
		return ActionSetVariable
	case *Clone:
		return ActionClone
	case *Provision:
		return ActionProvision
	}
	return ""
}

// Encode parameters for the way to the agent and for its journal. Equal parameters
// have equal bytes; no secret is among them.
func Encode(p Params) (json.RawMessage, error) {
	if ActionOf(p) == "" {
		return nil, errors.New("no parameters")
	}
	return json.Marshal(p)
}

// DecodeCanonical reads what Encode made. What it does not know it refuses: a newer
// operator asked for something that this agent would leave out.
func DecodeCanonical(action string, raw json.RawMessage) (Params, error) {
	var p Params
	switch action {
	case ActionLogicalBackup:
		p = &LogicalBackup{}
	case ActionPhysicalBackup:
		p = &PhysicalBackup{}
	case ActionRestore:
		p = &Restore{}
	case ActionGTIDPurge:
		p = &GTIDPurge{}
	case ActionSetVariable:
		p = &SetVariable{}
	case ActionClone:
		p = &Clone{}
	case ActionProvision:
		p = &Provision{}
	default:
		return nil, fmt.Errorf("action %s is unknown", quote(action))
	}
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, fmt.Errorf("parameters of %s: not an object", action)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("parameters of %s: %w", action, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("parameters of %s: more than one value", action)
	}
	return p, nil
}
