// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package mysqlreplication

import (
	"slices"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
)

// replacementDue says whether a call that replaces the source's data runs, or is the next
// one in the queue of the source. While others are ahead of it the members go on.
func replacementDue(ofSource []*v1alpha1.GrpcCall) bool {
	if holder := interlock.Holder(ofSource); holder != nil {
		return interlock.ReplacesData(holder.Spec.Action)
	}
	open := slices.DeleteFunc(slices.Clone(ofSource), func(call *v1alpha1.GrpcCall) bool {
		return call.Status.Result != "" || call.DeletionTimestamp != nil
	})
	if len(open) == 0 {
		return false
	}
	next := slices.MinFunc(open, interlock.Compare)
	return interlock.ReplacesData(next.Spec.Action) && overwrites(next)
}

// overwrites says whether a call asks for what it replaces to be given up: without that
// it is refused on a source.
func overwrites(call *v1alpha1.GrpcCall) bool {
	text := string(call.Spec.Parameters["overwrite"].Raw)
	return text == `"true"` || text == "true"
}
