// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// valid calls, by type and action; each malformed call is one of them with one key
// spoilt.
var valid = map[string]map[string]string{
	"mysql logical-backup":       {"destination": `"s3://backups/a/"`},
	"postgresql logical-backup":  {"destination": `"s3://backups/a/"`},
	"mysql physical-backup":      {"destination": `"s3://backups/a/"`},
	"postgresql physical-backup": {"destination": `"s3://backups/a/"`},
	"mysql restore":              {"source": `"s3://backups/a/"`},
	"postgresql restore":         {"source": `"s3://backups/a/"`},
	"mysql gtid-purge":           {},
	"mysql set-variable":         {"variables": `{"max_connections":"1"}`},
	"postgresql set-variable":    {"variables": `{"work_mem":"1MB"}`},
	"proxysql set-variable":      {"variables": `{"mysql-max_connections":"1"}`},
	"mysql clone":                {"sourceHost": `"h"`, "sourceUser": `"u"`, "sourcePassword": `"hunter2secret"`},
	"postgresql clone":           {"sourceHost": `"h"`, "sourceUser": `"u"`, "sourcePassword": `"hunter2secret"`},
}

// bad values of each key.
var bad = map[string][]string{
	"destination": {`null`, `1`, `true`, `[]`, `{}`, `""`, `"backups"`, `"http://b/a/"`, `"s3://"`, `"s3://bucket"`, `"s3://B_d/a/"`, `"s3://key:hunter2secret@bucket/a/"`, `"s3://bucket/../a/"`, `"s3://bucket//a/"`, `"file://host/a"`, `"file:///"`, `"file:///a/../../etc"`, `"s3://bucket/a?x=1"`, `"s3://bucket/a\u0000b"`},
	"source":      {`null`, `1`, `[]`, `""`, `"latest"`, `"s3://b"`, `"s3://bucket/./a"`, `"file:relative"`, `"s3://key:hunter2secret@bucket/a/"`},
	"backupType":  {`null`, `""`, `"Full"`, `"differential"`, `1`, `[]`, `{}`},
	"compression": {`null`, `""`, `"lz4"`, `"True"`, `9`, `[]`},
	"retention":   {`null`, `""`, `7`, `"7"`, `"7y"`, `"0d"`, `"-1d"`, `"1.5d"`, `"7d "`, `"999999w"`, `{}`},
	"encryption":  {`null`, `""`, `"AES128"`, `"aes256"`, `true`, `[]`},
	"verify":      {`null`, `""`, `"yes"`, `1`, `[]`},
	"parallel":    {`null`, `""`, `"0"`, `0`, `-1`, `65`, `"four"`, `1.5`, `"+4"`, `true`, `[]`, `99999999999999999999`},
	"databases":   {`null`, `"a"`, `[]`, `{}`, `[1]`, `[""]`, `["a","a"]`, `["a\u0000"]`, `[null]`},
	"skipTables":  {`null`, `"a.b"`, `[]`, `["a"]`, `[".b"]`, `["a."]`, `["a.[b"]`, `[1]`, `["a.b","a.b"]`},

	"destinationSecret":    {`null`, `""`, `"Upper"`, `"a/b"`, `1`, `{}`},
	"sourceSecret":         {`null`, `""`, `"-a"`, `true`},
	"encryptionSecret":     {`null`, `""`, `"a b"`, `[]`},
	"targetDatabase":       {`null`, `""`, `1`, `[]`, `"a\nb"`, `"` + strings.Repeat("a", 65) + `"`},
	"overwrite":            {`null`, `""`, `"yes"`, `1`, `[]`, `"TRUE"`},
	"gtidSet":              {`null`, `""`, `1`, `"all"`, `"3e11fa47:1-5"`, `"3e11fa47-71ca-11e1-9e33-c80aa9429562"`, `[]`},
	"variables":            {`null`, `""`, `[]`, `{}`, `{"":1}`, `{"a b":1}`, `{"a;drop":1}`, `{"x":null}`, `{"x":[1]}`, `{"x":{}}`, `{"x":"a\nb"}`, `{"x":1,"X":2}`},
	"sourceHost":           {`null`, `""`, `1`, `"a b"`, `"h/x"`, `"-h"`, `"h'"`, `[]`},
	"sourcePort":           {`null`, `""`, `0`, `"65536"`, `"mysql"`, `1.5`, `[]`},
	"sourceUser":           {`null`, `""`, `1`, `"a\u0007"`, `[]`},
	"sourcePassword":       {`null`, `""`, `[]`, `{"name":"hunter2secret"}`, `"hunter2secret\n"`},
	"sourcePasswordSecret": {`"beside"`},
}

type malformed struct {
	name, typ, action, key string
	parameters             map[string]json.RawMessage
}

// malformedCalls is the table.
func malformedCalls() []malformed {
	var out []malformed
	for _, call := range sortedKeys(valid) {
		typ, action, _ := strings.Cut(call, " ")
		with := func(name, key string, change func(map[string]json.RawMessage)) {
			p := map[string]json.RawMessage{}
			for k, v := range valid[call] {
				p[k] = json.RawMessage(v)
			}
			change(p)
			out = append(out, malformed{call + ": " + name, typ, action, key, p})
		}
		set := func(key, value string) func(map[string]json.RawMessage) {
			return func(p map[string]json.RawMessage) { p[key] = json.RawMessage(value) }
		}
		for _, key := range accepted[action].all() {
			for _, value := range bad[key] {
				with(key+"="+value, key, set(key, value))
			}
			with(strings.ToUpper(key), strings.ToUpper(key), set(strings.ToUpper(key), `"x"`))
		}
		for _, key := range accepted[action].required {
			with("no "+key, key, func(p map[string]json.RawMessage) { delete(p, key) })
		}
		for _, key := range []string{"", "typo", "s3.secretKey", "destination ", "Überraschung"} {
			with(fmt.Sprintf("unknown %q", key), fmt.Sprintf("%q", key), set(key, `"hunter2secret"`))
		}
		for _, name := range owned[typ] {
			if action == ActionSetVariable {
				name = strings.ReplaceAll(name, "*", "x")
				with("owned "+name, name, set("variables", fmt.Sprintf(`{%q:"hunter2secret"}`, name)))
			}
		}
	}
	out = append(out,
		malformed{"postgresql has no incremental logical backup", PostgreSQL, ActionLogicalBackup, "backupType",
			map[string]json.RawMessage{"destination": json.RawMessage(`"s3://backups/"`), "backupType": json.RawMessage(`"incremental"`)}},
		malformed{"binary logs of some databases", MySQL, ActionLogicalBackup, "databases",
			map[string]json.RawMessage{"destination": json.RawMessage(`"s3://backups/"`), "backupType": json.RawMessage(`"incremental"`), "databases": json.RawMessage(`["a"]`)}},
		malformed{"binary logs without some tables", MySQL, ActionLogicalBackup, "skipTables",
			map[string]json.RawMessage{"destination": json.RawMessage(`"s3://backups/"`), "backupType": json.RawMessage(`"incremental"`), "skipTables": json.RawMessage(`["a.b"]`)}},
		malformed{"a key without encryption", MySQL, ActionLogicalBackup, "encryptionSecret",
			map[string]json.RawMessage{"destination": json.RawMessage(`"s3://backups/"`), "encryptionSecret": json.RawMessage(`"k"`)}},
		malformed{"one target for two databases", MySQL, ActionRestore, "targetDatabase",
			map[string]json.RawMessage{"source": json.RawMessage(`"s3://backups/"`), "targetDatabase": json.RawMessage(`"a"`), "databases": json.RawMessage(`["b","c"]`)}},
		malformed{"no password at all", MySQL, ActionClone, "sourcePassword",
			map[string]json.RawMessage{"sourceHost": json.RawMessage(`"h"`), "sourceUser": json.RawMessage(`"u"`)}},
		malformed{"a variable spelt twice", MySQL, ActionSetVariable, "max-connections",
			map[string]json.RawMessage{"variables": json.RawMessage(`{"max_connections":1,"max-connections":2}`)}},
	)
	for _, typ := range []string{MySQL, PostgreSQL, ProxySQL, "oracle"} {
		for _, action := range []string{"", "backup", ActionLogicalBackup, ActionGTIDPurge, ActionRestore} {
			if !slices.Contains(actions[typ], action) {
				key := "action"
				if actions[typ] == nil {
					key = "type"
				}
				out = append(out, malformed{typ + " " + action, typ, action, key, nil})
			}
		}
	}
	for _, value := range []string{`""`, `1`, `{}`, `{"name":1}`, `{"name":"a","keys":"b"}`, `{"name":"a","key":"b/c"}`, `[]`, `null`} {
		out = append(out, malformed{"sourcePasswordSecret=" + value, MySQL, ActionClone, "sourcePasswordSecret",
			map[string]json.RawMessage{"sourceHost": json.RawMessage(`"h"`), "sourceUser": json.RawMessage(`"u"`), "sourcePasswordSecret": json.RawMessage(value)}})
	}
	return out
}

func TestMalformedCallsAreRefusedByASentenceThatNamesTheKey(t *testing.T) {
	calls := malformedCalls()
	if len(calls) < 200 {
		t.Fatalf("%d calls only", len(calls))
	}
	for _, tc := range calls {
		t.Run(tc.name, func(t *testing.T) {
			params, refs, err := Decode(tc.typ, tc.action, tc.parameters)
			if err == nil {
				t.Fatalf("accepted as %+v", params)
			}
			if params != nil || refs != (SecretRefs{}) {
				t.Errorf("refused, and yet %+v %+v", params, refs)
			}
			if !strings.Contains(err.Error(), tc.key) {
				t.Errorf("%q does not name %s", err, tc.key)
			}
			if strings.Contains(err.Error(), "hunter2secret") {
				t.Errorf("%q repeats a secret", err)
			}
		})
	}
}

func TestWhatTheTableSpoilsIsValid(t *testing.T) {
	for _, call := range sortedKeys(valid) {
		typ, action, _ := strings.Cut(call, " ")
		p := map[string]json.RawMessage{}
		for k, v := range valid[call] {
			p[k] = json.RawMessage(v)
		}
		if _, _, err := Decode(typ, action, p); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, tc := range malformedCalls() {
		raw, err := json.Marshal(tc.parameters)
		if err == nil {
			f.Add(tc.typ, tc.action, raw)
		}
	}
	for _, call := range sortedKeys(valid) {
		typ, action, _ := strings.Cut(call, " ")
		p := map[string]json.RawMessage{}
		for k, v := range valid[call] {
			p[k] = json.RawMessage(v)
		}
		raw, _ := json.Marshal(p)
		f.Add(typ, action, raw)
	}
	f.Fuzz(func(t *testing.T, typ, action string, raw []byte) {
		p := map[string]json.RawMessage{}
		if json.Unmarshal(raw, &p) != nil {
			p = map[string]json.RawMessage{"destination": raw, "source": raw, "variables": raw, "sourceHost": raw}
		}
		params, _, err := Decode(typ, action, p)
		if err != nil {
			if params != nil || err.Error() == "" || len(err.Error()) > 8192 {
				t.Fatalf("%+v, %v", params, err)
			}
			return
		}
		if ActionOf(params) != action {
			t.Fatalf("%s was read as %+v", action, params)
		}
		encoded, err := Encode(params)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeCanonical(action, encoded)
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		twice, err := Encode(again)
		if err != nil || string(twice) != string(encoded) {
			t.Fatalf("%s became %s, %v", encoded, twice, err)
		}
		if c, ok := params.(*Clone); ok && len(c.SourcePassword) > 8 && c.SourcePassword != c.SourceUser && strings.Contains(string(encoded), c.SourcePassword) &&
			!strings.Contains(c.SourceHost, c.SourcePassword) && !strings.Contains(strings.Join(slices.Concat(c.Databases, c.SkipTables), " "), c.SourcePassword) {
			t.Fatalf("%s holds the password", encoded)
		}
	})
}
