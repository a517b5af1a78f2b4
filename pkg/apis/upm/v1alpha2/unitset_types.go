// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

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

// Edition names the build of an engine.
// +kubebuilder:validation:Enum=community;enterprise;""
type Edition string

const (
	// EditionCommunity is the freely available build, and the default.
	EditionCommunity Edition = "community"
	// EditionEnterprise is the vendor's build.
	EditionEnterprise Edition = "enterprise"
)

// +genclient
// +genclient:method=GetScale,verb=get,subresource=scale,result=k8s.io/api/autoscaling/v1.Scale
// +genclient:method=UpdateScale,verb=update,subresource=scale,input=k8s.io/api/autoscaling/v1.Scale,result=k8s.io/api/autoscaling/v1.Scale
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=us,categories=upm
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.units,statuspath=.status.units,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Units",type=integer,JSONPath=`.spec.units`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyUnits`
// +kubebuilder:printcolumn:name="Updating",type=string,JSONPath=`.status.inUpdate`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="the name of a UnitSet becomes part of host and Service names: use lower case letters, digits and '-', begin with a letter and do not end with '-'"
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 49",message="the name of a UnitSet may have at most 49 characters: the names of its Services, such as <name>-headless-svc, end at 63"

// UnitSet runs a number of like database units.
type UnitSet struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is what the user wants.
	// +required
	Spec UnitSetSpec `json:"spec"`
	// status is written by the operator only.
	// +optional
	Status UnitSetStatus `json:"status,omitzero"`
}

// UnitSetSpec is the wanted set of units.
// +kubebuilder:validation:XValidation:rule="(self.?edition.orValue('community') == 'enterprise') == (oldSelf.?edition.orValue('community') == 'enterprise')",message="edition cannot change (none is community): create another UnitSet and bring the data over by backup and restore",fieldPath=".edition"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.storages) || (has(self.storages) && oldSelf.storages.all(o, self.storages.exists(n, n.name == o.name)))",message="a storage cannot be removed or renamed: its claims hold data",fieldPath=".storages"
// +kubebuilder:validation:XValidation:rule="(has(self.storages) && size(self.storages) > 0 && !(has(self.emptyDir) && self.emptyDir.exists(e, e.name == 'data')) ? 'storage ' + (self.storages.exists(s, s.name == 'data') ? 'data' : self.storages[0].name) : 'emptyDir data') == (has(oldSelf.storages) && size(oldSelf.storages) > 0 && !(has(oldSelf.emptyDir) && oldSelf.emptyDir.exists(e, e.name == 'data')) ? 'storage ' + (oldSelf.storages.exists(s, s.name == 'data') ? 'data' : oldSelf.storages[0].name) : 'emptyDir data')",message="the database must stay on the volume it lies on: the one named data, else the first of storages, else an emptyDir that the operator adds"
// +kubebuilder:validation:XValidation:rule="!has(self.storages) || !has(self.emptyDir) || self.storages.all(s, !self.emptyDir.exists(e, e.name == s.name))",message="storages and emptyDir must not have an entry of the same name",fieldPath=".emptyDir"
// +kubebuilder:validation:XValidation:rule="!has(self.storages) || !has(self.emptyDir) || self.storages.all(s, !self.emptyDir.exists(e, (e.mountPath + '/').startsWith(s.mountPath + '/') || (s.mountPath + '/').startsWith(e.mountPath + '/')))",message="a mountPath of emptyDir equals, contains or lies in one of storages: each volume needs a directory of its own",fieldPath=".emptyDir"
// +kubebuilder:validation:XValidation:rule="!has(self.secret) || !has(self.storages) || !self.storages.exists(s, (s.mountPath + '/').startsWith(self.secret.mountPath + '/') || (self.secret.mountPath + '/').startsWith(s.mountPath + '/'))",message="the mountPath of secret equals, contains or lies in one of storages: each volume needs a directory of its own",fieldPath=".secret"
// +kubebuilder:validation:XValidation:rule="!has(self.secret) || !has(self.emptyDir) || !self.emptyDir.exists(e, (e.mountPath + '/').startsWith(self.secret.mountPath + '/') || (self.secret.mountPath + '/').startsWith(e.mountPath + '/'))",message="the mountPath of secret equals, contains or lies in one of emptyDir: each volume needs a directory of its own",fieldPath=".secret"
type UnitSetSpec struct {
	// type of the engine: mysql, postgresql or proxysql. It cannot change.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="type cannot change: create another UnitSet"
	Type UnitType `json:"type"`
	// version of the engine: one to three numbers joined by dots, such as
	// "8.0.41" or "15.12", and whatever else the image's tag has, such as
	// "8.4.6-oraclelinux9". It picks the package and the image's tag.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{1,9}([.][0-9]{1,9}){0,2}([-_][0-9A-Za-z._-]*[0-9A-Za-z])?$')",message="version must be one to three numbers joined by dots, such as 8.0.41 or 15.12; a suffix of the image's tag, such as -oraclelinux9, may follow"
	Version string `json:"version"`
	// edition of the engine: community (default) or enterprise. It cannot change.
	// +optional
	Edition Edition `json:"edition,omitempty"`
	// units is how many units to run, 0 or more. They are named <name>-0 to
	// <name>-<units-1>.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Units *int32 `json:"units"`
	// sharedConfigName names a ConfigMap of the same namespace that a service
	// group shares: service_group_uid and <type>_ports. The operator reads it
	// and never writes it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SharedConfigName string `json:"sharedConfigName,omitempty"`
	// resources of the database container. Requests that are left out equal the
	// limits, as everywhere in Kubernetes.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !has(self.requests) || ['cpu', 'memory'].all(r, !(r in self.limits) || !(r in self.requests) || quantity(string(self.requests[r])).compareTo(quantity(string(self.limits[r]))) <= 0)",message="requests of cpu and memory must not exceed the limits"
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	// env is set in every container; it wins over what the operator sets, but
	// for the variables that the agent itself reads, which are refused.
	// ADM_USER, MON_USER, REPL_USER and PROV_USER name keys of the Secret whose
	// accounts are created at initialisation; ARCH_MODE names the replication
	// mode the set is meant for. A name may occur once.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:XValidation:rule="self.all(e, !e.name.startsWith('UNIT_') && !(e.name in ['POD_UID', 'POD_IP', 'DATA_DIR_MOUNT']))",message="POD_UID, POD_IP, DATA_DIR_MOUNT and all names that begin with UNIT_ are set by the operator"
	Env []corev1.EnvVar `json:"env,omitempty"`
	// storages are volumes that outlive pods, one claim <unit>-<storage> each.
	// The one named data, else the first, holds the database, and that one stays.
	// Others may be added later; none can be removed or renamed.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.all(b, a.name == b.name || !(b.mountPath + '/').startsWith(a.mountPath + '/')))",message="two mountPaths are equal or one lies in the other: each volume needs a directory of its own"
	Storages []StorageSpec `json:"storages,omitempty"`
	// emptyDir are volumes that die with their pod.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.all(b, a.name == b.name || !(b.mountPath + '/').startsWith(a.mountPath + '/')))",message="two mountPaths are equal or one lies in the other: each volume needs a directory of its own"
	EmptyDir []EmptyDirSpec `json:"emptyDir,omitempty"`
	// configuration are values for the template of the servers' configuration, the
	// same for all units: by the names of the package's default values, which they
	// replace, and replaced by those of a unit's own ConfigMap. options holds
	// variables of the server by their own names. A change needs no new pod. What
	// the operator sets itself is refused: who may write, who replicates from whom,
	// ports, paths, TLS, server_id, GTID mode.
	// +optional
	// +kubebuilder:validation:MaxProperties=256
	Configuration map[string]v1alpha1.JSON `json:"configuration,omitempty"`
	// secret is mounted into every unit. Each key is a user name and its value
	// that user's password.
	// +optional
	Secret *SecretInfo `json:"secret,omitempty"`
	// certificateSecret holds the server's TLS certificate.
	// +optional
	CertificateSecret *CertificateSecretSpec `json:"certificateSecret,omitempty"`
	// externalService publishes the set as <name>-svc.
	// +optional
	ExternalService *ExternalServiceSpec `json:"externalService,omitempty"`
	// unitService publishes each unit as <unit>-svc.
	// +optional
	UnitService *UnitServiceSpec `json:"unitService,omitempty"`
	// updateStrategy says how a change reaches the units. Default:
	// RollingUpdate, partition 0, maxUnavailable 1.
	// +optional
	UpdateStrategy UpdateStrategySpec `json:"updateStrategy,omitzero"`
	// nodeAffinityPreset are labels of nodes: a node must carry every key with
	// one of its values.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=32
	NodeAffinityPreset []NodeAffinityPresetSpec `json:"nodeAffinityPreset,omitempty"`
	// podAntiAffinityPreset prefers (soft) or requires (hard) that no two units
	// share a node. Empty: no rule.
	// +optional
	// +kubebuilder:validation:Enum=soft;hard;""
	PodAntiAffinityPreset string `json:"podAntiAffinityPreset,omitempty"`
	// scheduling says which nodes may run the units, beyond the two presets.
	// +optional
	Scheduling *SchedulingSpec `json:"scheduling,omitempty"`
	// imagePullSecrets are Secrets of the same namespace with which images are
	// pulled, beside those of the package and of the namespace's service account.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(s, has(s.name) && s.name != '')",message="each of imagePullSecrets needs the name of a Secret"
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// agentResources of the agent beside each server. A resource that is named
	// neither in requests nor in limits keeps the operator's default.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.limits) || !has(self.requests) || ['cpu', 'memory'].all(r, !(r in self.limits) || !(r in self.requests) || quantity(string(self.requests[r])).compareTo(quantity(string(self.limits[r]))) <= 0)",message="requests of cpu and memory must not exceed the limits"
	AgentResources *corev1.ResourceRequirements `json:"agentResources,omitempty"`
	// persistentVolumeClaimRetentionPolicy says what becomes of claims when the
	// set is deleted or scaled down. Default: Retain for both.
	// +optional
	PersistentVolumeClaimRetentionPolicy *PersistentVolumeClaimRetentionPolicy `json:"persistentVolumeClaimRetentionPolicy,omitempty"`

	// These names are taken, for backups as a service: backup {destination, archive,
	// schedules} and bootstrap {restore, clone} here, backup {lastSuccess,
	// firstRecoverable, lastRecoverable, lastVerified} in the status, and targetTime,
	// targetGTID and targetLSN among the parameters of a GrpcCall's restore.
}

// StorageSpec is a volume that outlives pods.
// +kubebuilder:validation:XValidation:rule="!isQuantity(self.size) || !isQuantity(oldSelf.size) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",message="size cannot shrink: volumes only grow",fieldPath=".size"
// +kubebuilder:validation:XValidation:rule="(has(self.storageClassName) ? self.storageClassName : \"\") == (has(oldSelf.storageClassName) ? oldSelf.storageClassName : \"\")",message="storageClassName cannot change: the claims that exist keep their class"
type StorageSpec struct {
	// name of the volume, a DNS label; part of the claim's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="name must be a DNS label: lower case letters, digits and '-', beginning and ending with a letter or digit"
	// +kubebuilder:validation:XValidation:rule="!(self in ['secret', 'cert', 'data-dir']) && !self.startsWith('unit-')",message="the names secret, cert, data-dir and those that begin with unit- are the operator's own"
	Name string `json:"name"`
	// mountPath is an absolute path in every container, outside the mounts of all
	// other volumes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[A-Za-z0-9._@~+-]+)+$') && !self.matches('/[.][.]?(/|$)')",message="mountPath must be an absolute path such as /DATA_MOUNT, of letters, digits and . _ - + @ ~, without '..' and without '/' at its end"
	// +kubebuilder:validation:XValidation:rule="!['/unit-agent', '/CERT_MOUNT', '/tmp', '/proc', '/sys', '/etc/mysql', '/etc/postgresql', '/etc/proxysql', '/run/mysqld', '/run/postgresql', '/var/run/mysqld', '/var/run/postgresql'].exists(r, (self + '/').startsWith(r + '/') || (r + '/').startsWith(self + '/')) && !(self in ['/bin', '/boot', '/dev', '/lib', '/lib64', '/sbin', '/usr', '/usr/bin', '/usr/lib', '/usr/sbin'])",message="mountPath hides a directory that the server, its image or the agent needs: choose one of your own, such as /DATA_MOUNT"
	MountPath string `json:"mountPath"`
	// size as a quantity, such as 100Gi, at least 1Mi. It may grow and never
	// shrink.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).compareTo(quantity('1Mi')) >= 0",message="size must be a quantity of at least 1Mi, such as 100Gi"
	Size string `json:"size"`
	// storageClassName of the claim. Empty: the cluster's default class.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	StorageClassName string `json:"storageClassName,omitempty"`
}

// EmptyDirSpec is a volume that dies with its pod.
type EmptyDirSpec struct {
	// name of the volume, a DNS label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="name must be a DNS label: lower case letters, digits and '-', beginning and ending with a letter or digit"
	// +kubebuilder:validation:XValidation:rule="!(self in ['secret', 'cert', 'data-dir']) && !self.startsWith('unit-')",message="the names secret, cert, data-dir and those that begin with unit- are the operator's own"
	Name string `json:"name"`
	// mountPath is an absolute path in every container, outside the mounts of all
	// other volumes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[A-Za-z0-9._@~+-]+)+$') && !self.matches('/[.][.]?(/|$)')",message="mountPath must be an absolute path such as /DATA_MOUNT, of letters, digits and . _ - + @ ~, without '..' and without '/' at its end"
	// +kubebuilder:validation:XValidation:rule="!['/unit-agent', '/CERT_MOUNT', '/tmp', '/proc', '/sys', '/etc/mysql', '/etc/postgresql', '/etc/proxysql', '/run/mysqld', '/run/postgresql', '/var/run/mysqld', '/var/run/postgresql'].exists(r, (self + '/').startsWith(r + '/') || (r + '/').startsWith(self + '/')) && !(self in ['/bin', '/boot', '/dev', '/lib', '/lib64', '/sbin', '/usr', '/usr/bin', '/usr/lib', '/usr/sbin'])",message="mountPath hides a directory that the server, its image or the agent needs: choose one of your own, such as /DATA_MOUNT"
	MountPath string `json:"mountPath"`
	// size limit as a quantity, such as 10Gi, at least 1Mi. Empty: no limit.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self == '' || isQuantity(self) && quantity(self).compareTo(quantity('1Mi')) >= 0",message="size must be a quantity of at least 1Mi, such as 10Gi"
	Size string `json:"size,omitempty"`
}

// SecretInfo names a Secret and where it is mounted.
type SecretInfo struct {
	// name of a Secret in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// mountPath is an absolute path in every container, outside the mounts of all
	// other volumes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[A-Za-z0-9._@~+-]+)+$') && !self.matches('/[.][.]?(/|$)')",message="mountPath must be an absolute path such as /DATA_MOUNT, of letters, digits and . _ - + @ ~, without '..' and without '/' at its end"
	// +kubebuilder:validation:XValidation:rule="!['/unit-agent', '/CERT_MOUNT', '/tmp', '/proc', '/sys', '/etc/mysql', '/etc/postgresql', '/etc/proxysql', '/run/mysqld', '/run/postgresql', '/var/run/mysqld', '/var/run/postgresql'].exists(r, (self + '/').startsWith(r + '/') || (r + '/').startsWith(self + '/')) && !(self in ['/bin', '/boot', '/dev', '/lib', '/lib64', '/sbin', '/usr', '/usr/bin', '/usr/lib', '/usr/sbin'])",message="mountPath hides a directory that the server, its image or the agent needs: choose one of your own, such as /DATA_MOUNT"
	MountPath string `json:"mountPath"`
}

// CertificateSecretSpec names the Secret of the server's certificate.
type CertificateSecretSpec struct {
	// name of a Secret in the same namespace. If it exists it is used as it is,
	// else the operator issues it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// organization in the subject of an issued certificate.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Organization string `json:"organization,omitempty"`
}

// ExternalServiceSpec is the Service <name>-svc.
type ExternalServiceSpec struct {
	// type of the Service. Default ClusterIP.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`
	// annotations of the Service.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// UnitServiceSpec is the Service <unit>-svc of each unit.
type UnitServiceSpec struct {
	// type of the Service. Default ClusterIP.
	// +optional
	// +kubebuilder:validation:Enum=ClusterIP;NodePort;LoadBalancer
	Type corev1.ServiceType `json:"type,omitempty"`
	// annotations of the Service.
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}

// UpdateStrategyType is how a change reaches the units.
// +kubebuilder:validation:Enum=RollingUpdate;OnDelete
type UpdateStrategyType string

const (
	// RollingUpdateStrategy restarts units one after another by the operator.
	RollingUpdateStrategy UpdateStrategyType = "RollingUpdate"
	// OnDeleteStrategy lets the user delete pods when it suits.
	OnDeleteStrategy UpdateStrategyType = "OnDelete"
)

// UpdateStrategySpec is how a change reaches the units.
type UpdateStrategySpec struct {
	// type is RollingUpdate (default) or OnDelete.
	// +optional
	Type UpdateStrategyType `json:"type,omitempty"`
	// paused lets a change of the spec wait: status.plan says what it would do to
	// which unit, and nothing is done to units that exist until it is false (the
	// default). What heals a unit is still
	// done.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// rollingUpdate refines RollingUpdate.
	// +optional
	RollingUpdate *RollingUpdateSpec `json:"rollingUpdate,omitempty"`
}

// RollingUpdateSpec refines RollingUpdate.
type RollingUpdateSpec struct {
	// partition is an ordinal: units below it keep the old revision. Default 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Partition *int32 `json:"partition,omitempty"`
	// maxUnavailable is how many units may be not Ready at once. Default 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxUnavailable *int32 `json:"maxUnavailable,omitempty"`
}

// ClaimRetention is what becomes of a claim.
// +kubebuilder:validation:Enum=Retain;Delete
type ClaimRetention string

const (
	// RetainClaims keeps claims.
	RetainClaims ClaimRetention = "Retain"
	// DeleteClaims deletes claims.
	DeleteClaims ClaimRetention = "Delete"
)

// PersistentVolumeClaimRetentionPolicy has the terms of StatefulSet.
type PersistentVolumeClaimRetentionPolicy struct {
	// whenDeleted applies when the owner is deleted. Default Retain.
	// +optional
	WhenDeleted ClaimRetention `json:"whenDeleted,omitempty"`
	// whenScaled applies to claims of units removed by a scale down. Default
	// Retain.
	// +optional
	WhenScaled ClaimRetention `json:"whenScaled,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// UnitSetList is a list of UnitSets.
type UnitSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []UnitSet `json:"items"`
}
