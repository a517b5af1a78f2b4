// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package proxysql

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSet(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"a setting is replaced where it stands",
			"g =\n{\n\ta = 1\n\tn = \"old\" // why\n\tz = \"n = 3\"\n}\n",
			"g =\n{\n\ta = 1\n\tn = \"v\" // why\n\tz = \"n = 3\"\n}\n"},
		{"strings beside each other are one value",
			"g = { n = \"a\" \n \"b\"; z = 1 };",
			"g = { n = \"v\"; z = 1 };"},
		{"a setting that is missing comes first in its group",
			"g : { z = 1 }",
			"g : {\n\tn = \"v\" z = 1 }"},
		{"a group that is missing comes last",
			"other = { n = \"x\" }",
			"other = { n = \"x\" }\ng =\n{\n\tn = \"v\"\n}\n"},
		{"a setting of another group or a nested one is not meant",
			"n = 1; h = { n = 2 }; g = { l = ( { n = 3 } ), m = { n = 4 } }",
			"n = 1; h = { n = 2 }; g = {\n\tn = \"v\" l = ( { n = 3 } ), m = { n = 4 } }"},
		{"comments and strings hide what looks like a setting",
			"# g = { n = 1 }\n/* g = { n = 2 } */ s = \"g = { n = \\\"3\\\" }\"; g = { n = 4 }",
			"# g = { n = 1 }\n/* g = { n = 2 } */ s = \"g = { n = \\\"3\\\" }\"; g = { n = \"v\" }"},
		{"an included file is left alone", "@include \"x.cfg\"\ng = { n = 1 }", "@include \"x.cfg\"\ng = { n = \"v\" }"},
		{"an empty file gets the group", "", "\ng =\n{\n\tn = \"v\"\n}\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := set(tc.file, "g", "n", "v")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if again, err := set(got, "g", "n", "v"); err != nil || again != got {
				t.Errorf("again: %q, %v", again, err)
			}
			if value, err := get(got, "g", "n"); err != nil || value != `"v"` {
				t.Errorf("reading it back: %q, %v", value, err)
			}
		})
	}
}

func TestAFileThatIsNotAConfigurationIsRefused(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"a string without its end", `g = { n = "x }`, "string is not ended"},
		{"a string that ends in a backslash", `g = { n = "x\`, "string is not ended"},
		{"a comment without its end", `g = { n = 1 } /*/`, "comment is not ended"},
		{"a group without its end", `g = { n = 1`, "no value"},
		{"a name without a value", `g = { n = }`, "no setting"},
		{"a name without a sign", `g { n = 1 }`, "no setting"},
		{"a scalar for a group", `g = 1`, "not a group"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := set(tc.file, "g", "n", "v"); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
