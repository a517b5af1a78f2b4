// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replication

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/controller/interlock"
)

// replacementDue is the call that replaces the source's data and runs, or is the next one
// in the queue of the source; empty: none is. While others are ahead of it the members go
// on.
func replacementDue(ofSource []*v1alpha1.GrpcCall) types.UID {
	if holder := interlock.Holder(ofSource); holder != nil {
		return replacing(holder)
	}
	open := slices.DeleteFunc(slices.Clone(ofSource), func(call *v1alpha1.GrpcCall) bool {
		return call.Status.Result != "" || call.DeletionTimestamp != nil
	})
	if len(open) == 0 {
		return ""
	}
	return replacing(slices.MinFunc(open, interlock.Compare))
}

// replacing is the call's UID if it replaces data: what overwrites nothing is ordinary
// transactions, which the other members get.
func replacing(call *v1alpha1.GrpcCall) types.UID {
	if !interlock.ReplacesData(call.Spec.Action) || !overwrites(call) {
		return ""
	}
	return call.UID
}

// overwrites says whether a call asks for what it replaces to be given up: without that
// it is refused on a source.
func overwrites(call *v1alpha1.GrpcCall) bool {
	text := string(call.Spec.Parameters["overwrite"].Raw)
	return text == `"true"` || text == "true"
}
