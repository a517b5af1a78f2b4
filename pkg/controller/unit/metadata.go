// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unit

import (
	"maps"
	"slices"
	"strings"

	"github.com/upmio/unit-operator/pkg/controller/child"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

const (
	// annotationCopied of a pod or claim lists the keys of its labels that came from
	// the Unit, so that one the user removes there is removed here, and one that
	// somebody put on the child is not.
	annotationCopied = "unit-operator.io/copied-labels"
	// annotationResources of a pod is the hash of the database container's cpu and
	// memory that it was made with.
	annotationResources = "unit-operator.io/resources"
	// annotationAgentImage of a pod is the image that its agent was asked from: admission
	// may have put another name in its place.
	annotationAgentImage = "unit-operator.io/agent-image"
)

// copied is the value of annotationCopied.
func copied(labels map[string]string) string {
	return strings.Join(slices.Sorted(maps.Keys(labels)), ",")
}

// followed is the merge patch of a child's metadata that makes labels and
// annotations follow the Unit; empty if they do.
func followed(haveLabels, haveAnnotations, wantLabels, wantAnnotations map[string]string) map[string]any {
	annotations := map[string]string{annotationCopied: copied(wantLabels)}
	maps.Copy(annotations, wantAnnotations)
	return child.Metadata(child.Changes(haveLabels, wantLabels, strings.Split(haveAnnotations[annotationCopied], ",")...),
		child.Changes(haveAnnotations, annotations))
}

// resourcesHash of the Unit's database container.
func resourcesHash(unit *slim.Unit) string { return slim.ContentHash(unit.Resources) }
