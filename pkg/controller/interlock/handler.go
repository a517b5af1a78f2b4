// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package interlock

import (
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/slim"
)

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
