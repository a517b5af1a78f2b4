// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Types of units.
const (
	MySQL      = "mysql"
	PostgreSQL = "postgresql"
	ProxySQL   = "proxysql"
)

// actions by the types that have them, in the order of the API's documentation.
var actions = map[string][]string{
	MySQL:      {ActionLogicalBackup, ActionPhysicalBackup, ActionRestore, ActionGTIDPurge, ActionSetVariable, ActionClone},
	PostgreSQL: {ActionLogicalBackup, ActionPhysicalBackup, ActionRestore, ActionSetVariable, ActionClone},
	ProxySQL:   {ActionSetVariable},
}

// Actions of a type; none if there is no such type.
func Actions(typ string) []string { return slices.Clone(actions[typ]) }

// IsBackup tells whether an action makes a backup.
func IsBackup(action string) bool {
	return action == ActionLogicalBackup || action == ActionPhysicalBackup
}

// keys that an action accepts; those that are required come first.
type keys struct{ required, optional []string }

func (k keys) all() []string { return slices.Concat(k.required, k.optional) }

var accepted = map[string]keys{
	ActionLogicalBackup: {
		[]string{"destination"},
		[]string{"backupType", "compression", "retention", "encryption", "databases", "skipTables", "verify", "destinationSecret", "encryptionSecret"},
	},
	ActionPhysicalBackup: {
		[]string{"destination"},
		[]string{"backupType", "compression", "retention", "encryption", "parallel", "verify", "destinationSecret", "encryptionSecret"},
	},
	ActionRestore: {
		[]string{"source"},
		[]string{"targetDatabase", "overwrite", "databases", "sourceSecret", "encryptionSecret"},
	},
	ActionGTIDPurge:   {nil, []string{"gtidSet"}},
	ActionSetVariable: {[]string{"variables"}, nil},
	ActionClone: {
		[]string{"sourceHost", "sourceUser"},
		[]string{"sourcePort", "sourcePassword", "sourcePasswordSecret", "databases", "skipTables", "overwrite"},
	},
}

// Decode reads the parameters of a call. All that is wrong with them is in the one
// error.
func Decode(typ, action string, parameters map[string]json.RawMessage) (Params, SecretRefs, error) {
	if actions[typ] == nil {
		return nil, SecretRefs{}, fmt.Errorf("type %s is unknown; accepted are %s, %s and %s", quote(typ), MySQL, PostgreSQL, ProxySQL)
	}
	if !slices.Contains(actions[typ], action) {
		return nil, SecretRefs{}, fmt.Errorf("action %s is not one of %s; accepted are %s", quote(action), typ, strings.Join(actions[typ], ", "))
	}
	a := &args{typ: typ, action: action, raw: parameters}
	a.checkKeys(accepted[action])
	var (
		params Params
		refs   SecretRefs
	)
	switch action {
	case ActionLogicalBackup:
		params = a.logicalBackup()
		refs = SecretRefs{Destination: a.secretName("destinationSecret"), Encryption: a.secretName("encryptionSecret")}
	case ActionPhysicalBackup:
		params = &PhysicalBackup{
			BackupType: a.backupType(), Compression: a.compression(), Destination: a.location("destination"),
			Retention: a.retention(), Encryption: a.encryption(), Parallel: a.integer("parallel", 0, 1, 64),
			Verify: a.boolean("verify"),
		}
		refs = SecretRefs{Destination: a.secretName("destinationSecret"), Encryption: a.secretName("encryptionSecret")}
	case ActionRestore:
		restore := a.restore()
		refs = SecretRefs{Source: a.secretName("sourceSecret"), Encryption: a.secretName("encryptionSecret")}
		restore.Encrypted = refs.Encryption != ""
		params = restore
	case ActionGTIDPurge:
		params = &GTIDPurge{GTIDSet: a.gtidSet()}
	case ActionSetVariable:
		params = &SetVariable{Variables: a.variables()}
	case ActionClone:
		params = a.clone()
	}
	if len(a.wrong) > 0 {
		return nil, SecretRefs{}, fmt.Errorf("%s", strings.Join(a.wrong, "; "))
	}
	return params, refs, nil
}

// args reads parameters and collects what is wrong with them.
type args struct {
	typ, action string
	raw         map[string]json.RawMessage
	wrong       []string
}

// maxWrong findings are named; a call with more needs none of the others.
const maxWrong = 8

// refuse a parameter. The values of parameters may be secrets: no text has one but
// where it cannot be.
func (a *args) refuse(key, format string, args ...any) {
	if len(a.wrong) < maxWrong {
		a.wrong = append(a.wrong, "parameter "+key+" "+fmt.Sprintf(format, args...))
	}
}

// checkKeys refuses keys that are unknown or missing.
func (a *args) checkKeys(k keys) {
	all := k.all()
	list := "accepted are " + strings.Join(all, ", ")
	for _, key := range slices.Sorted(maps.Keys(a.raw)) {
		if !slices.Contains(all, key) {
			a.refuse(quote(key), "is unknown to %s of %s; %s", a.action, a.typ, list)
		}
	}
	for _, key := range k.required {
		if _, ok := a.raw[key]; !ok {
			a.refuse(key, "is missing; %s", list)
		}
	}
}

// quote a word of the user's for an error, bounded.
func quote(s string) string {
	const most = 64
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return fmt.Sprintf("%q", s)
}
