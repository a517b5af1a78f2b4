// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package images

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/common"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// bill is the SPDX document of what a program was built from, as the compiler has
// recorded it in the program itself.
func bill(program Program, platform v1.Platform, r Release, binary []byte) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return nil, fmt.Errorf("%s for %s: %w", program.Name, platform, err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(binary))
	name := fmt.Sprintf("%s-%s-%s", program.Name, platform.OS, platform.Architecture)
	document := &spdx.Document{
		SPDXVersion:       spdx.Version,
		DataLicense:       spdx.DataLicense,
		SPDXIdentifier:    "DOCUMENT",
		DocumentName:      name,
		DocumentNamespace: source + "/sbom/" + name + "-" + sum,
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "unit-operator-make-images"}},
			Created:  r.Date.UTC().Format(time.RFC3339),
		},
	}
	main := pack("Program", program.Name, r.Version, "pkg:golang/"+info.Main.Path+"@"+r.Version+"#cmd/"+program.Name)
	main.PrimaryPackagePurpose = "APPLICATION"
	main.PackageLicenseDeclared = "Apache-2.0"
	main.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: sum}}
	document.Packages = append(document.Packages, main)
	document.Relationships = append(document.Relationships, relate("DOCUMENT", common.TypeRelationshipDescribe, main.PackageSPDXIdentifier))

	version := strings.TrimPrefix(strings.Fields(info.GoVersion)[0], "go")
	used := []*spdx.Package{pack("Stdlib", "stdlib", version, "pkg:golang/stdlib@"+version)}
	for i, module := range info.Deps {
		used = append(used, dependency(i, module))
	}
	for _, p := range used {
		document.Packages = append(document.Packages, p)
		document.Relationships = append(document.Relationships, relate(main.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, p.PackageSPDXIdentifier))
	}
	var out bytes.Buffer
	if err := json.Write(document, &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// dependency is a module, or what replaces it.
func dependency(i int, module *debug.Module) *spdx.Package {
	if module.Replace != nil {
		module = module.Replace
	}
	p := pack(fmt.Sprintf("Module-%d", i), module.Path, module.Version, "pkg:golang/"+module.Path+"@"+module.Version)
	if module.Sum != "" {
		p.PackageComment = "go.sum: " + module.Sum
	}
	return p
}

func pack(id, name, version, purl string) *spdx.Package {
	return &spdx.Package{
		PackageSPDXIdentifier:     common.ElementID(id),
		PackageName:               name,
		PackageVersion:            version,
		PackageDownloadLocation:   "NOASSERTION",
		PackageLicenseConcluded:   "NOASSERTION",
		PackageLicenseDeclared:    "NOASSERTION",
		PackageCopyrightText:      "NOASSERTION",
		IsFilesAnalyzedTagPresent: true,
		PackageExternalReferences: []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager,
			RefType:  common.TypePackageManagerPURL,
			Locator:  purl,
		}},
	}
}

func relate(from common.ElementID, how string, to common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{
		RefA:         common.MakeDocElementID("", string(from)),
		Relationship: how,
		RefB:         common.MakeDocElementID("", string(to)),
	}
}
