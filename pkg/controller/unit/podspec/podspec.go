// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"errors"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/ownerref"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/packages"
)

// Names and ports of what every pod has. docs/architecture.md lists them.
const (
	// InstallContainer brings the agent's program.
	InstallContainer = slim.InstallContainer
	// AgentContainer is the sidecar.
	AgentContainer = slim.AgentContainer

	// AgentPort is the agent's gRPC, MetricsPort its HTTP, ProbePort supervise's.
	AgentPort   int32 = 2214
	MetricsPort int32 = 8080
	ProbePort   int32 = 2215

	// DefaultGracePeriodSeconds is what a server gets to flush and stop.
	DefaultGracePeriodSeconds int64 = 600
)

const (
	binDir = "/unit-agent/bin"
	// installDir is binDir's volume in the container that fills it.
	installDir = "/install"
	stateDir   = "/unit-agent/state"
	tlsDir     = "/unit-agent/tls"
	homeDir    = stateDir + "/home"
	toolsDir   = binDir + "/tools"
	program    = binDir + "/unit-agent"

	binVolume     = "unit-agent-bin"
	stateVolume   = "unit-agent-state"
	tlsVolume     = "unit-agent-tls"
	socketsVolume = "unit-sockets"
	configVolume  = "unit-config"
	tmpVolume     = "unit-tmp"
	// sharedMemoryVolume is in the packages of PostgreSQL.
	sharedMemoryVolume = "unit-shm"
)

// unitKind is the kind of the owner of pods and claims.
var unitKind = v1alpha2.SchemeGroupVersion.WithKind("Unit")

// Input is all that a pod depends on.
type Input struct {
	// Unit as it was read live, whole.
	Unit *v1alpha2.Unit
	// Package that a standalone Unit's template is completed from. Nil for the
	// unit of a set, whose template was made from its package, and for a container
	// with its own command where no package fits its image.
	Package *packages.Package
	// AgentImage is the image of the install container.
	AgentImage string
	// ClusterUID is what backups are told apart by that come from several clusters:
	// the UID of the namespace kube-system.
	ClusterUID types.UID
	// ClusterDomain of the cluster's DNS.
	ClusterDomain string
	// NodeName is the node the unit is bound to, empty for none.
	NodeName string
	// CertificateKeys are the keys of the Secret CertificateSecret names, for Facts
	// alone: they tell the names of its files. Nil: ca.crt, tls.crt, tls.key.
	CertificateKeys []string
}

// ClaimName of a unit's claim template.
func ClaimName(unit, template string) string { return unit + "-" + template }

// TLSSecretName of a unit: the agent's identity.
func TLSSecretName(unit string) string { return unit + "-agent-tls" }

// SetName is the name of the UnitSet that a Unit belongs to, empty for a
// standalone one.
func SetName(unit *v1alpha2.Unit) string { return slim.SetOf(unit) }

// DatabaseType is the name of the database container: mysql, postgresql or
// proxysql. Empty if there is none.
func DatabaseType(template *corev1.PodTemplateSpec) string {
	if c := slim.DatabaseContainer(&template.Spec); c != nil {
		return c.Name
	}
	return ""
}

// OwnCommand says whether the database container brings its own command and is
// left alone.
func OwnCommand(template *corev1.PodTemplateSpec) bool {
	c := slim.DatabaseContainer(&template.Spec)
	return c != nil && len(c.Command) > 0
}

// builder carries a pod's spec from step to step.
type builder struct {
	Input
	set string
	// spec begins as the template's.
	spec corev1.PodSpec
	// database is the container of that name in spec.
	database *corev1.Container
	engine   engine
	// supervised is false for a container with its own command.
	supervised bool
	// uid and gid that the server and the agent run as: the agent logs in by them.
	uid, gid *int64
	data     volumeAt
	// agentAsked are the resources that the template asks for the agent.
	agentAsked corev1.ResourceRequirements
}

// Build makes the pod of a unit.
func Build(in Input) (*corev1.Pod, error) {
	b, err := newBuilder(in)
	if err != nil {
		return nil, err
	}
	if in.AgentImage == "" {
		return nil, errors.New("the operator was given no agent image: start it with --agent-image")
	}
	b.completeDatabase()
	if err := b.checkWritable(); err != nil {
		return nil, err
	}
	b.addAgent()
	b.completePod()
	annotations := Annotations(in.Unit)
	maps.Copy(annotations, origin(in.Unit))
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:            in.Unit.Name,
			Namespace:       in.Unit.Namespace,
			Labels:          Labels(in.Unit),
			Annotations:     annotations,
			OwnerReferences: []metav1.OwnerReference{*ownerref.New(in.Unit, unitKind)},
		},
		Spec: b.spec,
	}, nil
}

// newBuilder checks the template and lays it over the package's.
func newBuilder(in Input) (*builder, error) {
	b := &builder{Input: in, set: SetName(in.Unit), spec: *in.Unit.Spec.Template.Spec.DeepCopy()}
	if err := check(in.Unit); err != nil {
		return nil, err
	}
	var err error
	if b.agentAsked, err = agentAsked(in.Unit); err != nil {
		return nil, err
	}
	b.supervised = !OwnCommand(&in.Unit.Spec.Template)
	if in.Package != nil {
		b.fillFromPackage(in.Package.Template.Spec.DeepCopy())
	}
	// Only now: filling may have moved the containers.
	b.database = slim.DatabaseContainer(&b.spec)
	b.engine = engines[b.database.Name]
	b.identity()
	b.addClaimVolumes()
	return b, nil
}

// completePod is what concerns all containers.
func (b *builder) completePod() {
	spec := &b.spec
	if spec.TerminationGracePeriodSeconds == nil {
		spec.TerminationGracePeriodSeconds = new(DefaultGracePeriodSeconds)
	}
	if spec.AutomountServiceAccountToken == nil {
		spec.AutomountServiceAccountToken = new(false)
	}
	if spec.EnableServiceLinks == nil {
		spec.EnableServiceLinks = new(false)
	}
	if b.set != "" || spec.Hostname == "" {
		spec.Hostname = b.Unit.Name
	}
	if b.set != "" {
		spec.Subdomain = b.set + "-headless-svc"
		AddSearchDomain(spec, spec.Subdomain+"."+b.Unit.Namespace+".svc."+b.ClusterDomain)
	}
	b.secureFiles()
	// A node named by the template goes the same way: past the scheduler, volumes
	// that wait for their first consumer would never be made.
	RequireNode(spec, spec.NodeName)
	spec.NodeName = ""
	RequireNode(spec, b.NodeName)
}
