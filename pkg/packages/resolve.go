// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
)

// Request is what a unit wants to be made from.
type Request struct {
	Type v1alpha2.UnitType
	// Edition may be empty: community.
	Edition v1alpha2.Edition
	// Version as the user wrote it: 8.0.41, 15.12.
	Version string
}

// Package is a package as it was read, for one version.
type Package struct {
	// Name of the PodTemplate.
	Name string
	// Revision is a hash of the pod template, the configuration templates and
	// the default values: 16 hexadecimal digits.
	Revision string
	// Template of the pod, with the version filled in. The caller owns it.
	Template corev1.PodTemplateSpec
	// ConfigFiles are the configuration templates by key; the key named like the
	// type is the main file. See configtemplate.Input.
	ConfigFiles map[string]string
	// Values are the default values of the configuration templates.
	Values map[string]any
	// Ports of the database container. The one named like the type, else the
	// first, is the SQL port (see SQLPort).
	Ports []corev1.ContainerPort
}

// Reference is the package for a UnitSet's status.
func (p *Package) Reference() v1alpha2.PackageReference {
	return v1alpha2.PackageReference{Name: p.Name, Revision: p.Revision}
}

// SQLPort of ports: the one named like the type, else the first; 0 without any.
func SQLPort(unitType v1alpha2.UnitType, ports []corev1.ContainerPort) int32 {
	for _, port := range ports {
		if port.Name == string(unitType) {
			return port.ContainerPort
		}
	}
	if len(ports) > 0 {
		return ports[0].ContainerPort
	}
	return 0
}

// NotFoundError says that no installed package fits a request.
type NotFoundError struct {
	Request Request
	// Tried are the names that were looked for, in order.
	Tried []string
	// Installed are the packages of the request's type, sorted.
	Installed []string
}

// Error names what is installed, for a condition and an event.
func (e *NotFoundError) Error() string {
	edition := e.Request.Edition
	if edition == "" {
		edition = v1alpha2.EditionCommunity
	}
	installed := "none is installed for this type (kubectl apply -f artifacts/packages installs them)"
	if len(e.Installed) > 0 {
		installed = "installed are " + strings.Join(e.Installed, ", ")
	}
	return fmt.Sprintf("no package for %s %s (%s): looked for %s; %s",
		e.Request.Type, e.Request.Version, edition, strings.Join(e.Tried, ", "), installed)
}

// BrokenError says that a package exists and cannot be used.
type BrokenError struct {
	// Kind and Name of the object at fault; Key in it, if one is.
	Kind, Name, Key string
	Err             error
}

// Error names the object and the key.
func (e *BrokenError) Error() string {
	where := e.Kind + " " + e.Name
	if e.Key != "" {
		where += ", key " + e.Key
	}
	return fmt.Sprintf("package is broken: %s: %v", where, e.Err)
}

// Unwrap is what is wrong.
func (e *BrokenError) Unwrap() error { return e.Err }

// Resolve finds the package for a request. Its errors are *NotFoundError,
// *BrokenError, or what the lister returned.
//
// Names are looked up from the most to the least specific version (exact,
// major.minor, major); for each, <type>-<edition>-<version>, and for the
// community edition <type>-<version> too.
func Resolve(lister Lister, request Request) (*Package, error) {
	names := candidates(request)
	for _, name := range names {
		podTemplate, err := lister.PodTemplate(name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if podTemplate.Labels[LabelPackage] != "true" {
			continue
		}
		return read(lister, podTemplate, request)
	}
	installed, err := installedNames(lister, request.Type)
	if err != nil {
		return nil, err
	}
	return nil, &NotFoundError{Request: request, Tried: names, Installed: installed}
}

// candidates are the names to look up, in order.
func candidates(request Request) []string {
	versions := []string{request.Version}
	if v, err := configtemplate.ParseVersion(request.Version); err == nil {
		if v.Parts >= 2 {
			versions = append(versions, fmt.Sprintf("%d.%d", v.Major, v.Minor))
		}
		versions = append(versions, fmt.Sprint(v.Major))
	}
	var names []string
	add := func(parts ...string) {
		if name := strings.Join(parts, "-"); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	t, edition := string(request.Type), string(request.Edition)
	for _, v := range versions {
		switch request.Edition {
		case "":
			add(t, v)
			add(t, string(v1alpha2.EditionCommunity), v)
		case v1alpha2.EditionCommunity:
			add(t, edition, v)
			add(t, v)
		default:
			add(t, edition, v)
		}
	}
	return names
}

// installedNames are the packages of a type, sorted.
func installedNames(lister Lister, unitType v1alpha2.UnitType) ([]string, error) {
	podTemplates, err := lister.PodTemplates()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, podTemplate := range podTemplates {
		if podTemplate.Labels[LabelPackage] == "true" && podTemplate.Labels[v1alpha2.LabelType] == string(unitType) {
			names = append(names, podTemplate.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
