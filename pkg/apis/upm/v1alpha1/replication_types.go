// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
)

// What MysqlReplication and PostgresReplication have in common in their specs.

// ReplicationServiceSpec says how the read-write and read-only Services of a
// replication are published.
// +kubebuilder:validation:XValidation:rule="!has(self.loadBalancerSourceRanges) || (has(self.type) && self.type == 'LoadBalancer')",message="loadBalancerSourceRanges is for Services of type LoadBalancer",fieldPath=".loadBalancerSourceRanges"
// +kubebuilder:validation:XValidation:rule="!has(self.externalTrafficPolicy) || (has(self.type) && self.type in ['NodePort', 'LoadBalancer'])",message="externalTrafficPolicy is for Services of type NodePort or LoadBalancer",fieldPath=".externalTrafficPolicy"
type ReplicationServiceSpec struct {
	// type of the <name>-readwrite and <name>-readonly Services: ClusterIP,
	// NodePort or LoadBalancer. Default ClusterIP.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`
	// annotations of both Services, such as those that make a load balancer an
	// internal one.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`
	// loadBalancerSourceRanges are the networks, in CIDR notation, that may connect
	// through the load balancer. Empty: all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="self.all(r, isCIDR(r))",message="each entry must be a network in CIDR notation, such as 10.0.0.0/8"
	LoadBalancerSourceRanges []string `json:"loadBalancerSourceRanges,omitempty"`
	// externalTrafficPolicy is Cluster (default), or Local: a node forwards to
	// members on itself only, and clients' addresses are kept.
	// +optional
	// +kubebuilder:validation:Enum=Cluster;Local
	ExternalTrafficPolicy corev1.ServiceExternalTrafficPolicy `json:"externalTrafficPolicy,omitempty"`
}

// ReplicationFailover says when another member becomes the source although
// nobody asked for it.
type ReplicationFailover struct {
	// enabled is whether that happens at all. Default false: a source that failed
	// is waited for, or replaced by spec, by annotation or by whoever evacuates it.
	// +optional
	Enabled bool `json:"enabled,omitempty"`
	// delaySeconds is how long a source must have failed, from when that was first
	// seen. Default 30; 0 waits for nothing.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	DelaySeconds *int32 `json:"delaySeconds,omitempty"`
	// maximumLagSeconds counts in mode rpl_async: a member that was further behind
	// when the source was last seen is not promoted. 0: it must have been caught
	// up. Absent: no limit. In the other modes durability says what is promoted.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	MaximumLagSeconds *int32 `json:"maximumLagSeconds,omitempty"`
	// minimumIntervalSeconds is the least time between two failovers; a second one
	// before that needs a person. Default 600; 0 is no limit.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	MinimumIntervalSeconds *int32 `json:"minimumIntervalSeconds,omitempty"`
}

// DurabilityPolicy says what happens when too few members can acknowledge.
// +kubebuilder:validation:Enum=Required;Preferred
type DurabilityPolicy string

const (
	// DurabilityRequired: commits wait until enough members can acknowledge again.
	DurabilityRequired DurabilityPolicy = "Required"
	// DurabilityPreferred: the source continues unacknowledged, and a condition says
	// so. What is committed meanwhile is lost with the source.
	DurabilityPreferred DurabilityPolicy = "Preferred"
)

// ReplicationDurability says how many members besides the source have a
// transaction when its commit is acknowledged, in the modes rpl_semi_sync and
// rpl_sync.
type ReplicationDurability struct {
	// replicas that must acknowledge. Default: half of those that are not isolated,
	// rounded up. A failover needs so many of them that they hold whatever was
	// acknowledged: with 1 of 2, both.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	Replicas *int32 `json:"replicas,omitempty"`
	// policy is Required (default) or Preferred: whether commits wait when fewer
	// can acknowledge.
	// +optional
	Policy DurabilityPolicy `json:"policy,omitempty"`
}
