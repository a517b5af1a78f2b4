// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestSharedPortsAreReadAsPeopleWriteThem(t *testing.T) {
	port := func(name string, number int32) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: corev1.ProtocolTCP}
	}
	for _, tc := range []struct {
		name, text string
		want       []corev1.ContainerPort
		err        string
	}{
		{name: "none"},
		{name: "an empty list", text: " [] "},
		{name: "a number", text: `[{"name": "mysql", "containerPort": 3306, "protocol": "TCP"}]`, want: []corev1.ContainerPort{port("mysql", 3306)}},
		{
			name: "strings, no protocol", text: `[{"name": "mysql", "containerPort": "3306"}, {"name": "admin", "containerPort": " 33062 ", "protocol": "tcp"}]`,
			want: []corev1.ContainerPort{port("mysql", 3306), port("admin", 33062)},
		},
		{name: "no list", text: `{"name": "mysql"}`, err: "is not a JSON list of ports"},
		{name: "no number", text: `[{"name": "mysql", "containerPort": "a"}]`, err: `entry 0: containerPort "a" of mysql`},
		{name: "too large", text: `[{"name": "mysql", "containerPort": 65536}]`, err: "from 1 to 65535"},
		{name: "no name", text: `[{"containerPort": 3306}]`, err: `name ""`},
		{name: "a name twice", text: `[{"name": "mysql", "containerPort": 1}, {"name": "mysql", "containerPort": 2}]`, err: "entry 1: name mysql appears twice"},
		{name: "a number twice", text: `[{"name": "mysql", "containerPort": 1}, {"name": "admin", "containerPort": 1}]`, err: "is that of mysql"},
		{name: "the agent's name", text: `[{"name": "metrics", "containerPort": 1}]`, err: "belongs to the agent's port"},
		{name: "the agent's number", text: `[{"name": "mysql", "containerPort": 2214}]`, err: "2214 of mysql belongs to the agent"},
		{name: "another protocol", text: `[{"name": "mysql", "containerPort": 1, "protocol": "SCTP"}]`, err: "neither TCP nor UDP"},
	} {
		got, err := sharedPorts("mysql", map[string]string{"mysql_ports": tc.text, "postgresql_ports": "not looked at"})
		switch {
		case tc.err == "" && err != nil, tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.err)
		case tc.err == "":
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("%s: -want +got:\n%s", tc.name, d)
			}
		}
	}
}

func TestClientPortsLeaveOutWhatIsForPeopleWhoRunTheDatabase(t *testing.T) {
	for ports, want := range map[string]string{
		"mysql admin mgr metrics":    "mysql",
		"mysql mysql-admin mysqlx":   "mysql mysqlx",
		"proxysql admin":             "proxysql",
		"admin":                      "admin",
		"admin mysql":                "mysql",
		"pgbouncer postgresql-admin": "pgbouncer",
		"":                           "",
	} {
		var in []corev1.ContainerPort
		for _, name := range strings.Fields(ports) {
			in = append(in, corev1.ContainerPort{Name: name})
		}
		var got []string
		for _, p := range clientPorts("mysql", in) {
			got = append(got, p.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("of %q: %v, want %q", ports, got, want)
		}
	}
}
