// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import corev1 "k8s.io/api/core/v1"

// UnitType names the engine of a unit.
// +kubebuilder:validation:Enum=mysql;postgresql;proxysql
type UnitType string

const (
	// UnitTypeMySQL is a MySQL server.
	UnitTypeMySQL UnitType = "mysql"
	// UnitTypePostgreSQL is a PostgreSQL server.
	UnitTypePostgreSQL UnitType = "postgresql"
	// UnitTypeProxySQL is a ProxySQL proxy.
	UnitTypeProxySQL UnitType = "proxysql"
)

// ReplicationServiceSpec says how the read-write and read-only Services of a
// replication are published.
type ReplicationServiceSpec struct {
	// type of the <name>-readwrite and <name>-readonly Services: ClusterIP,
	// NodePort or LoadBalancer. Default ClusterIP.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`
}

// ReplicationMemberStatus is what was observed of one member.
type ReplicationMemberStatus struct {
	// name of the Unit.
	// +required
	Name string `json:"name"`
	// role is source or replica (MySQL), primary or standby (PostgreSQL), or
	// unknown.
	// +optional
	Role string `json:"role,omitempty"`
	// state of the member in words, for people.
	// +optional
	State string `json:"state,omitempty"`
	// evacuated is true when the member no longer carries the source and, if it
	// is to be removed, is out of slots, group and hostgroups.
	// +optional
	Evacuated bool `json:"evacuated,omitempty"`
	// caughtUp is true when the member has what the source has.
	// +optional
	CaughtUp bool `json:"caughtUp,omitempty"`
}
