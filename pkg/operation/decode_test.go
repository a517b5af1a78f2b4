// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func parameters(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	out := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheDocumentsParametersDecode(t *testing.T) {
	for _, tc := range []struct {
		name, typ, action, parameters string
		want                          Params
		refs                          SecretRefs
	}{
		{"logical backup", MySQL, ActionLogicalBackup,
			`{"backupType":"full","compression":"gzip","destination":"s3://backups/mysql/","retention":"7d","encryption":"AES256"}`,
			&LogicalBackup{BackupType: Full, Compression: Gzip, Destination: "s3://backups/mysql/", Retention: 7 * 24 * time.Hour, Encryption: AES256}, SecretRefs{}},
		{"logical backup with defaults", PostgreSQL, ActionLogicalBackup, `{"destination":"file:///backup/x"}`,
			&LogicalBackup{BackupType: Full, Compression: Zstd, Destination: "file:///backup/x"}, SecretRefs{}},
		{"logical backup of some databases", MySQL, ActionLogicalBackup, `{"destination":"s3://backups/","databases":["a","b"],"skipTables":["a.log_*"]}`,
			&LogicalBackup{BackupType: Full, Compression: Zstd, Destination: "s3://backups/", Databases: []string{"a", "b"}, SkipTables: []string{"a.log_*"}}, SecretRefs{}},
		{"incremental logical backup of mysql", MySQL, ActionLogicalBackup, `{"destination":"s3://backups/","backupType":"incremental","compression":"none"}`,
			&LogicalBackup{BackupType: Incremental, Compression: NoCompression, Destination: "s3://backups/"}, SecretRefs{}},
		{"physical backup", MySQL, ActionPhysicalBackup,
			`{"backupType":"full","compression":"true","destination":"s3://backups/mysql/","parallel":"4"}`,
			&PhysicalBackup{BackupType: Full, Compression: Zstd, Destination: "s3://backups/mysql/", Parallel: 4}, SecretRefs{}},
		{"scalars as numbers and booleans", PostgreSQL, ActionPhysicalBackup,
			`{"backupType":"incremental","compression":false,"destination":"s3://backups/pg/","parallel":8,"retention":"2w","encryption":"AES256","destinationSecret":"s3","encryptionSecret":"key.of.mine"}`,
			&PhysicalBackup{BackupType: Incremental, Compression: NoCompression, Destination: "s3://backups/pg/", Parallel: 8, Retention: 14 * 24 * time.Hour, Encryption: AES256},
			SecretRefs{Destination: "s3", Encryption: "key.of.mine"}},
		{"restore", MySQL, ActionRestore,
			`{"source":"s3://backups/mysql/backup-20240101.tar.gz","targetDatabase":"restored_db","overwrite":"false"}`,
			&Restore{Source: "s3://backups/mysql/backup-20240101.tar.gz", TargetDatabase: "restored_db"}, SecretRefs{}},
		{"restore of one database with a Secret", PostgreSQL, ActionRestore,
			`{"source":"file:///backup/","overwrite":true,"databases":["a"],"targetDatabase":"b","sourceSecret":"s3"}`,
			&Restore{Source: "file:///backup/", TargetDatabase: "b", Overwrite: true, Databases: []string{"a"}}, SecretRefs{Source: "s3"}},
		{"set-variable", MySQL, ActionSetVariable,
			`{"variables":{"max_connections":"200","innodb_buffer_pool_size":"1G","log_bin":"ON","slow_query_log":true,"long_query_time":0.5,"init_connect":""}}`,
			&SetVariable{Variables: map[string]Value{
				"max_connections": {"200", String}, "innodb_buffer_pool_size": {"1G", String}, "log_bin": {"ON", String},
				"slow_query_log": {"true", Bool}, "long_query_time": {"0.5", Number}, "init_connect": {"", String},
			}}, SecretRefs{}},
		{"set-variable of proxysql", ProxySQL, ActionSetVariable, `{"variables":{"mysql-max_connections":2048}}`,
			&SetVariable{Variables: map[string]Value{"mysql-max_connections": {"2048", Number}}}, SecretRefs{}},
		{"clone", MySQL, ActionClone,
			`{"sourceHost":"source-mysql.example.com","sourcePort":"3306","sourceUser":"replication","sourcePassword":"password","databases":["db1","db2"]}`,
			&Clone{SourceHost: "source-mysql.example.com", SourcePort: 3306, SourceUser: "replication", SourcePassword: "password", Databases: []string{"db1", "db2"}}, SecretRefs{}},
		{"clone with a Secret: the key is the user's name", PostgreSQL, ActionClone,
			`{"sourceHost":"fd00::1","sourceUser":"postgres","sourcePasswordSecret":"accounts-secret","overwrite":"true"}`,
			&Clone{SourceHost: "fd00::1", SourcePort: 5432, SourceUser: "postgres", SourcePasswordSecret: SecretKey{"accounts-secret", "postgres"}, Overwrite: true}, SecretRefs{}},
		{"clone with a key of a Secret", PostgreSQL, ActionClone,
			`{"sourceHost":"10.0.0.1","sourceUser":"postgres","sourcePasswordSecret":{"name":"a","key":"b"}}`,
			&Clone{SourceHost: "10.0.0.1", SourcePort: 5432, SourceUser: "postgres", SourcePasswordSecret: SecretKey{"a", "b"}}, SecretRefs{}},
		{"gtid-purge", MySQL, ActionGTIDPurge, `{"gtidSet":"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7, 4e11fa47-71ca-11e1-9e33-c80aa9429562:tag:1"}`,
			&GTIDPurge{GTIDSet: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7, 4e11fa47-71ca-11e1-9e33-c80aa9429562:tag:1"}, SecretRefs{}},
		{"gtid-purge of the last restore", MySQL, ActionGTIDPurge, `{}`, &GTIDPurge{}, SecretRefs{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, refs, err := Decode(tc.typ, tc.action, parameters(t, tc.parameters))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.refs, refs); diff != "" {
				t.Error(diff)
			}
			if again := roundTrip(t, got); !cmp.Equal(again, withoutSecrets(got)) {
				t.Error(cmp.Diff(withoutSecrets(got), again))
			}
		})
	}
}

// roundTrip as on the way to the agent.
func roundTrip(t *testing.T, p Params) Params {
	t.Helper()
	raw, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	out, err := DecodeCanonical(ActionOf(p), raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return out
}

func withoutSecrets(p Params) Params {
	if c, ok := p.(*Clone); ok {
		out := *c
		out.SourcePassword = ""
		return &out
	}
	return p
}

func TestTheCanonicalFormIsReadStrictly(t *testing.T) {
	for _, tc := range []struct{ name, action, raw string }{
		{"an unknown action", "reboot", `{}`},
		{"an unknown field", ActionRestore, `{"source":"s3://b/","newer":true}`},
		{"two values", ActionRestore, `{"source":"s3://b/"} {}`},
		{"null", ActionGTIDPurge, `null`},
		{"nothing", ActionGTIDPurge, ``},
		{"a password", ActionClone, `{"sourcePassword":"p"}`},
	} {
		if p, err := DecodeCanonical(tc.action, json.RawMessage(tc.raw)); err == nil {
			t.Errorf("%s: read as %+v", tc.name, p)
		}
	}
	if _, err := Encode(nil); err == nil {
		t.Error("nothing was encoded")
	}
}
