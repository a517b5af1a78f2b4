// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/agent/engine"
)

func TestChannelStatements(t *testing.T) {
	upstream := engine.Upstream{Name: "db-0", Host: "db-0.db-headless-svc.default", Port: 3306}
	account := engine.ChannelAccount{User: "unit_replication", Password: `it's \ secret`}
	type statements struct{ Change, StartReceiver, StopReceiver, StartApplier, StopApplier string }
	for _, tc := range []struct {
		name    string
		version version
		want    statements
	}{
		{"5.7 knows masters, slaves and no public key", version{5, 7, 44}, statements{
			`CHANGE MASTER TO MASTER_HOST = 'db-0.db-headless-svc.default', MASTER_PORT = 3306, MASTER_USER = 'unit_replication', MASTER_PASSWORD = '', MASTER_AUTO_POSITION = 1, MASTER_CONNECT_RETRY = 1, MASTER_RETRY_COUNT = 0, MASTER_SSL = 1 FOR CHANNEL ''`,
			`START SLAVE IO_THREAD USER = 'unit_replication' PASSWORD = 'it\'s \\ secret' FOR CHANNEL ''`,
			`STOP SLAVE IO_THREAD FOR CHANNEL ''`, `START SLAVE SQL_THREAD FOR CHANNEL ''`, `STOP SLAVE SQL_THREAD FOR CHANNEL ''`,
		}},
		{"8.0.22 starts replicas of masters", version{8, 0, 22}, statements{
			`CHANGE MASTER TO MASTER_HOST = 'db-0.db-headless-svc.default', MASTER_PORT = 3306, MASTER_USER = 'unit_replication', MASTER_PASSWORD = '', MASTER_AUTO_POSITION = 1, MASTER_CONNECT_RETRY = 1, MASTER_RETRY_COUNT = 0, MASTER_SSL = 1, GET_MASTER_PUBLIC_KEY = 1 FOR CHANNEL ''`,
			`START REPLICA IO_THREAD USER = 'unit_replication' PASSWORD = 'it\'s \\ secret' FOR CHANNEL ''`,
			`STOP REPLICA IO_THREAD FOR CHANNEL ''`, `START REPLICA SQL_THREAD FOR CHANNEL ''`, `STOP REPLICA SQL_THREAD FOR CHANNEL ''`,
		}},
		{"8.4 knows only the new words", version{8, 4, 6}, statements{
			`CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'db-0.db-headless-svc.default', SOURCE_PORT = 3306, SOURCE_USER = 'unit_replication', SOURCE_PASSWORD = '', SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 0, SOURCE_SSL = 1, GET_SOURCE_PUBLIC_KEY = 1 FOR CHANNEL ''`,
			`START REPLICA IO_THREAD USER = 'unit_replication' PASSWORD = 'it\'s \\ secret' FOR CHANNEL ''`,
			`STOP REPLICA IO_THREAD FOR CHANNEL ''`, `START REPLICA SQL_THREAD FOR CHANNEL ''`, `STOP REPLICA SQL_THREAD FOR CHANNEL ''`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := statements{
				changeSource(tc.version, upstream, account.User, "", false), startReceiver(tc.version, account),
				stopReceiver(tc.version), startApplier(tc.version), stopApplier(tc.version),
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDurabilityStatements(t *testing.T) {
	sync := engine.RoleRecord{Role: engine.RoleSource, Durability: engine.Durability{Mode: engine.DurabilitySync, W: 1}}
	for _, tc := range []struct {
		name    string
		version version
		record  engine.RoleRecord
		want    []string
	}{
		{"a source knows what it waits for before it waits", version{9, 7, 4}, sync, []string{
			"SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = 1",
			"SET GLOBAL rpl_semi_sync_source_timeout = 4294967295",
			"SET GLOBAL rpl_semi_sync_source_wait_point = 'AFTER_SYNC'",
			"SET GLOBAL rpl_semi_sync_source_wait_no_replica = 'ON'",
			"SET GLOBAL rpl_semi_sync_source_enabled = 'ON'",
			"SET GLOBAL rpl_semi_sync_replica_enabled = 'OFF'",
		}},
		{"8.0.25 has the old names", version{8, 0, 25}, sync, []string{
			"SET GLOBAL rpl_semi_sync_master_wait_for_slave_count = 1",
			"SET GLOBAL rpl_semi_sync_master_timeout = 4294967295",
			"SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'",
			"SET GLOBAL rpl_semi_sync_master_wait_no_slave = 'ON'",
			"SET GLOBAL rpl_semi_sync_master_enabled = 'ON'",
			"SET GLOBAL rpl_semi_sync_slave_enabled = 'OFF'",
		}},
		{"a replica acknowledges and never waits itself", version{8, 0, 26}, engine.RoleRecord{Role: engine.RoleReplica, Acknowledge: true, Durability: sync.Durability}, []string{
			"SET GLOBAL rpl_semi_sync_source_enabled = 'OFF'",
			"SET GLOBAL rpl_semi_sync_replica_enabled = 'ON'",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, s := range semiSyncOf(tc.version).forRecord(tc.record) {
				got = append(got, setGlobal(s))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDifferingSettings(t *testing.T) {
	settings := []setting{{"a", "ON"}, {"b", "OFF"}, {"c", "AFTER_SYNC"}, {"d", "2"}}
	for _, tc := range []struct {
		name   string
		values []string
		want   []setting
	}{
		{"booleans are numbers in an answer", []string{"1", "0", "AFTER_SYNC", "2"}, nil},
		{"and words in others", []string{"ON", "OFF", "after_sync", "2"}, nil},
		{"what differs is named", []string{"0", "1", "AFTER_COMMIT", "1"}, settings},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, differing(settings, tc.values), cmp.AllowUnexported(setting{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheUpstreamsCertificateIsCheckedByTheUnitsAuthority(t *testing.T) {
	for _, tc := range []struct {
		version version
		ca      string
		had     bool
		want    string
	}{
		{version{5, 7, 44}, "/CERT_MOUNT/ca.crt", false, "MASTER_SSL_CA = '/CERT_MOUNT/ca.crt'"},
		{version{8, 4, 6}, "/CERT_MOUNT/ca.crt", true, "SOURCE_SSL_CA = '/CERT_MOUNT/ca.crt'"},
		{version{8, 4, 6}, "", true, "SOURCE_SSL_CA = ''"},
	} {
		if got := changeSource(tc.version, engine.Upstream{Host: "h", Port: 1}, "u", tc.ca, tc.had); !strings.Contains(got, tc.want) {
			t.Errorf("%s lacks %s", got, tc.want)
		}
	}
}

func TestChannelAccountStatements(t *testing.T) {
	for _, tc := range []struct {
		version version
		grant   string
	}{
		{version{5, 7, 44}, "REPLICATION SLAVE, PROCESS"},
		{version{8, 4, 6}, "REPLICATION SLAVE, PROCESS, BACKUP_ADMIN"},
	} {
		want := []string{
			`CREATE USER IF NOT EXISTS 'unit_replication'@'%' IDENTIFIED BY 'p\'w'`,
			`ALTER USER 'unit_replication'@'%' IDENTIFIED BY 'p\'w' ACCOUNT UNLOCK`,
			`GRANT ` + tc.grant + ` ON *.* TO 'unit_replication'@'%'`,
		}
		if diff := cmp.Diff(want, channelAccountStatements(tc.version, engine.ChannelAccount{User: "unit_replication", Password: "p'w"})); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEventsWanted(t *testing.T) {
	for _, tc := range []struct {
		name    string
		version version
		options map[string]string
		want    bool
	}{
		{"8.0 runs events by itself", version{8, 0, 41}, nil, true},
		{"5.7 does not", version{5, 7, 44}, nil, false},
		{"a configuration that wants them", version{5, 7, 44}, map[string]string{"event_scheduler": "on"}, true},
		{"one that does not", version{9, 7, 4}, map[string]string{"event_scheduler": "OFF"}, false},
		{"one that forbids them", version{9, 7, 4}, map[string]string{"event_scheduler": "DISABLED"}, false},
		{"one that skips them", version{9, 7, 4}, map[string]string{"skip_event_scheduler": ""}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := eventsWanted(tc.version, tc.options); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
