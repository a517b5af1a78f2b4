// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha2

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// SyncStatus says how far the units follow the spec.
// +kubebuilder:validation:Enum=Synced;NotSynced;Syncing
type SyncStatus string

const (
	// Synced means that every unit equals the spec.
	Synced SyncStatus = "Synced"
	// NotSynced means that some unit differs and nothing is being done about it
	// now (held by partition, window or an error); a condition says why.
	NotSynced SyncStatus = "NotSynced"
	// Syncing means that a step is under way.
	Syncing SyncStatus = "Syncing"
)

// +genclient
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=us,categories=upm
// +kubebuilder:subresource:status
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
// +kubebuilder:validation:XValidation:rule="(has(self.emptyDir) && self.emptyDir.exists(e, e.name == 'data') ? 'emptyDir data' : has(self.storages) && self.storages.exists(s, s.name == 'data') ? 'storage data' : has(self.storages) && size(self.storages) > 0 ? 'storage ' + self.storages[0].name : has(self.emptyDir) && size(self.emptyDir) > 0 ? 'emptyDir ' + self.emptyDir[0].name : 'none') == (has(oldSelf.emptyDir) && oldSelf.emptyDir.exists(e, e.name == 'data') ? 'emptyDir data' : has(oldSelf.storages) && oldSelf.storages.exists(s, s.name == 'data') ? 'storage data' : has(oldSelf.storages) && size(oldSelf.storages) > 0 ? 'storage ' + oldSelf.storages[0].name : has(oldSelf.emptyDir) && size(oldSelf.emptyDir) > 0 ? 'emptyDir ' + oldSelf.emptyDir[0].name : 'none')",message="the database must stay on the volume it lies on: the one named data, else the first of storages, else the first of emptyDir"
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
	// +kubebuilder:validation:XValidation:rule="self.all(e, !(e.name in ['UNIT_NAME', 'UNIT_NAMESPACE', 'UNIT_UID', 'UNIT_TYPE', 'UNIT_SET', 'UNIT_VERSION', 'UNIT_DATA_STORAGE', 'UNIT_SQL_PORT', 'POD_UID', 'POD_IP', 'DATA_DIR_MOUNT']))",message="UNIT_NAME, UNIT_NAMESPACE, UNIT_UID, UNIT_TYPE, UNIT_SET, UNIT_VERSION, UNIT_DATA_STORAGE, UNIT_SQL_PORT, POD_UID, POD_IP and DATA_DIR_MOUNT are set by the operator"
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
	// persistentVolumeClaimRetentionPolicy says what becomes of claims when the
	// set is deleted or scaled down. Default: Retain for both.
	// +optional
	PersistentVolumeClaimRetentionPolicy *PersistentVolumeClaimRetentionPolicy `json:"persistentVolumeClaimRetentionPolicy,omitempty"`
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
	// +kubebuilder:validation:XValidation:rule="!(self in ['secret', 'cert', 'data-dir']) && !self.startsWith('unit-agent')",message="the names secret, cert, data-dir and those that begin with unit-agent are the operator's own"
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
	// +kubebuilder:validation:XValidation:rule="!(self in ['secret', 'cert', 'data-dir']) && !self.startsWith('unit-agent')",message="the names secret, cert, data-dir and those that begin with unit-agent are the operator's own"
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

// NodeAffinityPresetSpec is one required node label.
type NodeAffinityPresetSpec struct {
	// key of the node's label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",message="key must be the key of a node's label, such as kubernetes.io/arch"
	Key string `json:"key"`
	// values of which the node must have one.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
	Values []string `json:"values"`
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

// UnitSetStatus is what was observed of the set.
type UnitSetStatus struct {
	// units is how many Units exist.
	// +optional
	Units int32 `json:"units"`
	// readyUnits is how many of them are in phase Ready.
	// +optional
	ReadyUnits int32 `json:"readyUnits"`
	// inUpdate is "true" while units are being brought to the current revision,
	// else "false".
	// +optional
	InUpdate string `json:"inUpdate,omitempty"`
	// unitPVCSynced says whether every claim has the wanted size.
	// +optional
	UnitPVCSynced SyncStatus `json:"unitPVCSynced,omitempty"`
	// unitImageSynced says whether every unit runs the wanted revision.
	// +optional
	UnitImageSynced SyncStatus `json:"unitImageSynced,omitempty"`
	// unitResourceSynced says whether every unit has the wanted cpu and memory.
	// +optional
	UnitResourceSynced SyncStatus `json:"unitResourceSynced,omitempty"`
	// currentRevision names the ControllerRevision all units came from, before
	// an update that is under way.
	// +optional
	CurrentRevision string `json:"currentRevision,omitempty"`
	// updateRevision names the ControllerRevision that units are brought to.
	// +optional
	UpdateRevision string `json:"updateRevision,omitempty"`
	// updatedUnits is how many units carry updateRevision.
	// +optional
	UpdatedUnits int32 `json:"updatedUnits,omitempty"`
	// availableRevision is the hash of what a newer renderer or an edited
	// package would give. It is taken up with the next change of the spec or by
	// the annotation unit-operator.io/adopt-revision.
	// +optional
	AvailableRevision string `json:"availableRevision,omitempty"`
	// package is the package in use.
	// +optional
	Package *PackageReference `json:"package,omitempty"`
	// collisionCount makes revision names unique after a hash collision.
	// +optional
	CollisionCount *int32 `json:"collisionCount,omitempty"`
	// observedGeneration is the generation of the spec this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Progressing, and one for whatever is missing or
	// waited for.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PackageReference is a package as it was read.
type PackageReference struct {
	// name of the package's PodTemplate in the operator's namespace.
	// +required
	Name string `json:"name"`
	// revision is the hash of the package's content.
	// +required
	Revision string `json:"revision"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// UnitSetList is a list of UnitSets.
type UnitSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []UnitSet `json:"items"`
}
