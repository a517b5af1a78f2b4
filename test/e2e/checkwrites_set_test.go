// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/test/checkwrites"
)

// writtenSet is the set that check-writes strikes, and what differs between its engines.
type writtenSet struct {
	group
	writtenReplication
	// replication is the name of its Replication.
	replication string
	engine      checkwrites.Engine
	// account that clients log in with, and port of the members' servers.
	account, port string
	// mode in which a lost row is a failure.
	mode string
	// refusals are the reasons for which a source that failed is not replaced.
	refusals []string
	short    shortForm
}

// shortForm is what make e2e strikes with.
type shortForm struct {
	rounds int
	seed   uint64
	faults string
}

// writtenReplication is the Replication of such a set, whichever its kind.
type writtenReplication interface {
	// view of the object as it is now, and of one that a watch has sent.
	view(ctx context.Context) (replicationView, error)
	viewOf(o runtime.Object) (replicationView, bool)
	watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error)
	// patch merges into the object.
	patch(ctx context.Context, patch []byte) error
	// begin has it in that mode, with that failover; end as the documentation's example has it.
	begin(t *testing.T, mode string, failover *v1alpha1.ReplicationFailover)
	end(t *testing.T)
	// askForSource by the spec; false if that names the member already.
	askForSource(t *testing.T, to string) bool
	// stopReceiving keeps a replica whose agent stands still from receiving anything, at
	// least until the function returned is called.
	stopReceiving(t *testing.T, unit string) (resume func(*testing.T), err error)
}

// replicationView is what check-writes reads of a Replication.
type replicationView struct {
	metav1.ObjectMeta
	source             string
	epoch              int64
	observedGeneration int64
	// replicas are asked to replicate, and so many do.
	replicas, readyReplicas int
	operation               *v1alpha1.ReplicationOperation
	lastTransition          *v1alpha1.ReplicationTransition
	topology                []v1alpha1.ReplicationMemberStatus
	conditions              []metav1.Condition
}
