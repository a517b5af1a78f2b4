// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/replication/topology"
	"github.com/upmio/unit-operator/pkg/replication/worker"
)

// kind is what one of the two kinds of Replications does not share with the other.
type kind struct {
	schema.GroupVersionKind
	// controller is the name of the controller, and log what it calls a Replication.
	controller, log string
	// unitType that it replicates. The port of its Services has that name.
	unitType v1alpha2.UnitType
	// engine decides.
	engine worker.Engine
	// replicas are what people call its members that follow.
	replicas string
	// sync is the mode in which a commit waits for members, group that in which nothing is
	// acted on; empty: there is none.
	sync, group string
	// manager is what the account is for that manages replication.
	manager agentclient.AccountPurpose

	// healthy is the state in which there is nothing to do and nothing to wait for. In those
	// that are blocked no commit is acknowledged; in those that are degraded they are, and
	// something is not as it should be.
	healthy           topology.State
	blocked, degraded []topology.State

	// server is what an observation says of the engine's own that would lead to another
	// decision.
	server func(*agentclient.Observation) []any
	// position of a source, in the engine's own form, and whether anybody receives from it;
	// nil: it did not say.
	position func(*agentclient.Observation) (executed any, followed bool)
}

func replicationKind(name string) schema.GroupVersionKind {
	return v1alpha1.SchemeGroupVersion.WithKind(name)
}
