// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
	"github.com/upmio/unit-operator/pkg/controller/findings"
	"github.com/upmio/unit-operator/pkg/controller/membership"
	"github.com/upmio/unit-operator/pkg/controller/slim"
	"github.com/upmio/unit-operator/pkg/packages"
)

// state is what one sync knows of a Unit: what observe read from caches, and what
// the steps found out.
type state struct {
	// unit is shared with the cache; status is the one being made.
	unit   *slim.Unit
	status v1alpha2.UnitStatus

	// pod by the Unit's name, if the Unit controls it; claims by the name of their
	// template, if they are the Unit's.
	pod    *slim.Pod
	claims map[string]*slim.Claim
	secret *slim.Object
	// member says which Replication owns the unit, and which others list it.
	member membership.Membership
	node   nodeState

	// live is the whole Unit, read at most once in a sync; pkg what it is made
	// from; blueprint what follows from both. nil if something is missing.
	live      *v1alpha2.Unit
	pkg       *packages.Package
	blueprint *blueprint
	// newestAgent is the image that new pods bring their agent from.
	newestAgent string
	// config is what the server shall run with; nil if it cannot be rendered.
	config *configtemplate.Output
	// kept is the ConfigMap that keeps the one with which the unit last was Ready;
	// fallback says that config is that one.
	kept     *slim.Object
	fallback bool
	// missesValues says that a ConfigMap is missing from which the configuration is
	// rendered; unmountable names something that pods cannot start without.
	missesValues bool
	unmountable  string
	// offer is the configuration that the agent is given now; nil if it keeps the one
	// it has. See Controller.offer.
	offer *configtemplate.Output

	// agent is what the agent of this pod said last; fresh if in this sync.
	agent *agentclient.Status
	fresh bool
	// asked: the agent is being asked, and its answer brings the next sync.
	asked bool

	// accepted is the database whose loss is accepted on request; standing says whether
	// the agent may have been told of an accepted loss, as the status has it.
	accepted string
	standing bool
	// replacing: an operation that replaces the data is in progress.
	replacing bool

	found findings.Set
	// identified: it was decided what becomes of the data of a pod that is gone.
	identified bool
	// statusFirst ends the steps: the status must be stored before the next one.
	statusFirst bool
	// events to write once the status is stored.
	events []func()
	// again is when to look again though nothing changed; 0 for never.
	again time.Duration
}

// nodeState is what is known of the node that matters to the unit.
type nodeState struct {
	// Bound is whether the node of spec.nodeName exists.
	Bound bool
	// Silent is whether the kubelet of the pod's node does not report, Gone whether
	// that node does not exist any more.
	Silent, Gone bool
}

// retryAfter makes the sync run again after d, unless sooner is asked for.
func (s *state) retryAfter(d time.Duration) {
	if d > 0 && (s.again == 0 || d < s.again) {
		s.again = d
	}
}

// managed says whether only a Replication may open the server for writes. A MySQL
// server made for replication boots read-only even before one lists it; one that a
// Replication has released goes on in its role without one.
func (s *state) managed() bool {
	switch {
	case s.member.Owner != nil:
		return true
	case s.status.Released != nil:
		return false
	}
	return s.unit.Type == v1alpha2.UnitTypeMySQL && s.blueprint != nil && s.blueprint.facts.ArchMode != ""
}

// claimUIDs of the claims there are, by storage name.
func (s *state) claimUIDs() map[string]types.UID {
	uids := map[string]types.UID{}
	for name, claim := range s.claims {
		uids[name] = claim.UID
	}
	return uids
}

// blueprint is what follows from a Unit's whole spec and its package, kept while
// they stay the same so that the spec need not be read at rest.
type blueprint struct {
	key string
	// facts of the configuration, without Managed.
	facts configtemplate.Facts
	// emptyDir is true if the data dies with its pod.
	emptyDir bool
	// labels and annotations of the pod, claimLabels of the claims by storage name.
	labels, annotations map[string]string
	claimLabels         map[string]map[string]string
	// certificate is the Secret of the server's certificate, at certificateVersion.
	certificate, certificateVersion string
}

// memory is what is kept of a Unit between syncs.
type memory struct {
	blueprint *blueprint
	// config is the configuration last rendered, configKey what it was rendered
	// from, configErr why it could not be. It has no files while the API keeps them.
	config    *configtemplate.Output
	configKey string
	configErr error
	// kept is the configuration that the ConfigMap of useKept had; keptContent the content
	// hash of that ConfigMap when it had the unit's configuration.
	kept        *configtemplate.Output
	keptContent string
	// applied is the configuration that the agent has acknowledged.
	applied *configtemplate.Output
	// owner is what was seen last of the Replication that owns the unit: where it is
	// gone at once, it tells in which role it leaves the unit.
	owner *membership.Replication
	// agent is what the agent of podUID said at the time.
	agent   *agentclient.Status
	podUID  types.UID
	agentAt time.Time
	// heldBack is since when a status waits for the next one, and unwritten the last such
	// status; zero while none does.
	heldBack  time.Time
	unwritten *v1alpha2.UnitStatus
}

// written: the status of the API is the newest.
func (m *memory) written() { m.heldBack, m.unwritten = time.Time{}, nil }

// databaseReady says whether the server answers SQL by its readiness probe.
func databaseReady(pod *slim.Pod) bool {
	if pod == nil || pod.DeletionTimestamp != nil {
		return false
	}
	ready := pod.Condition(corev1.PodReady)
	return ready != nil && ready.Status == corev1.ConditionTrue
}
