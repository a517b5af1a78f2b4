// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package interlock

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

// InProgress says whether a call's operation may be running: it was, or is just
// being, handed to the agent and has no result yet.
func InProgress(call *v1alpha1.GrpcCall) bool {
	return call.Status.Operation != nil && call.Status.Result == ""
}

// ReplacesData is true of actions that put another database in the place of the unit's.
func ReplacesData(action v1alpha1.Action) bool {
	return action == v1alpha1.ActionRestore || action == v1alpha1.ActionClone
}

// Replacing says whether a call of a unit is in progress that replaces its data.
func Replacing(ofUnit []*v1alpha1.GrpcCall) bool {
	return slices.ContainsFunc(ofUnit, func(call *v1alpha1.GrpcCall) bool {
		return InProgress(call) && ReplacesData(call.Spec.Action)
	})
}

// Compare calls by age, then by name: the API's times have seconds only.
func Compare(a, b *v1alpha1.GrpcCall) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// Holder is the call of a unit that is in progress, the oldest one should there be
// several; nil if none is.
func Holder(ofUnit []*v1alpha1.GrpcCall) *v1alpha1.GrpcCall {
	var holder *v1alpha1.GrpcCall
	for _, call := range ofUnit {
		if InProgress(call) && (holder == nil || Compare(call, holder) < 0) {
			holder = call
		}
	}
	return holder
}

// Lister reads the calls of a namespace from the API server.
type Lister interface {
	List(ctx context.Context, opts metav1.ListOptions) (*v1alpha1.GrpcCallList, error)
}

// ReadHolder is Holder as the API server knows it now. It is for the moment before a
// pod or a unit is deleted, once each, not for waiting.
func ReadHolder(ctx context.Context, calls Lister, unit string) (*v1alpha1.GrpcCall, error) {
	list, err := calls.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the GrpcCalls that may run on Unit %s: %w", unit, err)
	}
	var ofUnit []*v1alpha1.GrpcCall
	for i := range list.Items {
		if list.Items[i].Spec.TargetUnit == unit {
			ofUnit = append(ofUnit, &list.Items[i])
		}
	}
	return Holder(ofUnit), nil
}

// Describe a call in progress, in words that stay the same while it runs; empty for none.
func Describe(call *v1alpha1.GrpcCall) string {
	if call == nil {
		return ""
	}
	text := fmt.Sprintf("GrpcCall %s (%s)", call.Name, call.Spec.Action)
	if start := call.Status.StartTime; start != nil {
		text += ", running since " + start.UTC().Format(time.RFC3339)
	}
	return text
}

// Handler calls wake with the units, as "<namespace>/<name>", of calls that begin or
// cease to hold them up.
func Handler(wake func(units []string)) cache.TypedResourceEventHandlerFuncs[*v1alpha1.GrpcCall] {
	targets := slim.CallTargets()[slim.ByTarget]
	return cache.TypedResourceEventHandlerFuncs[*v1alpha1.GrpcCall]{
		UpdateFunc: func(old, current *v1alpha1.GrpcCall) {
			if InProgress(old) != InProgress(current) {
				wake(targets(current))
			}
		},
		DeleteFunc: func(deleted cache.DeletedObject[*v1alpha1.GrpcCall]) {
			if call := deleted.OptionalObj; call != nil {
				wake(targets(call))
			}
		},
	}
}
