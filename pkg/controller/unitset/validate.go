// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"fmt"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// specProblem is what admission could not refuse, in a sentence; empty if
// nothing. Nothing is done for such a set, least of all in part.
func specProblem(set *v1alpha2.UnitSet) string {
	// The longest names that must be a label in DNS are those of Services.
	longest := headlessServiceName(set.Name)
	if last := unitServiceName(unitName(set.Name, max(wantedUnits(set)-1, 0))); set.Spec.UnitService != nil && len(last) > len(longest) {
		longest = last
	}
	if problems := validation.IsDNS1035Label(longest); len(problems) > 0 {
		return fmt.Sprintf("the name does not serve for the Service %s: %s", longest, strings.Join(problems, "; "))
	}

	volumes := map[string]string{}
	paths := map[string]string{}
	use := func(what, volume, mountPath string) string {
		if other, taken := volumes[volume]; taken {
			return fmt.Sprintf("%s and %s are both a volume named %s", other, what, volume)
		}
		if !path.IsAbs(mountPath) {
			return fmt.Sprintf("mountPath %q of %s is not absolute", mountPath, what)
		}
		clean := path.Clean(mountPath)
		if other, taken := paths[clean]; taken {
			return fmt.Sprintf("%s and %s are both mounted at %s", other, what, clean)
		}
		volumes[volume], paths[clean] = what, what
		return ""
	}
	size := func(what, text string) string {
		if quantity, err := resource.ParseQuantity(text); err != nil || quantity.Sign() <= 0 {
			return fmt.Sprintf("size %q of %s is not an amount such as 100Gi", text, what)
		}
		return ""
	}
	var problems []string
	for _, s := range set.Spec.Storages {
		what := "storage " + s.Name
		problems = append(problems, use(what, s.Name, s.MountPath), size(what, s.Size))
	}
	for _, e := range emptyDirs(&set.Spec) {
		what := "emptyDir " + e.Name
		problems = append(problems, use(what, e.Name, e.MountPath))
		if e.Size != "" {
			problems = append(problems, size(what, e.Size))
		}
	}
	if set.Spec.Secret != nil {
		problems = append(problems, use("secret "+set.Spec.Secret.Name, podspec.SecretVolume, set.Spec.Secret.MountPath))
	}
	if set.Spec.CertificateSecret != nil {
		problems = append(problems, use("certificateSecret "+set.Spec.CertificateSecret.Name, podspec.CertificateVolume, certificateMountPath))
	}
	var said []string
	for _, p := range problems {
		if p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, "; ")
}
