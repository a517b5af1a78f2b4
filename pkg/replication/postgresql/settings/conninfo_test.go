// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseConninfo(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Conninfo
	}{
		{"nothing", "", nil},
		{"white space", " \t\n", nil},
		{"one", "host=a", Conninfo{{"host", "a"}}},
		{"two", "host=a port=5432", Conninfo{{"host", "a"}, {"port", "5432"}}},
		{"spaces around =", " host = a  port\t=\n5432 ", Conninfo{{"host", "a"}, {"port", "5432"}}},
		{"quotes", `password='it\'s a \\ "secret"' host=a`, Conninfo{{"password", `it's a \ "secret"`}, {"host", "a"}}},
		{"an empty value in quotes", `host='' port=1`, Conninfo{{"host", ""}, {"port", "1"}}},
		{"an empty value at the end", `host=`, Conninfo{{"host", ""}}},
		{"an empty value without quotes is the next parameter", `host= port=1`, Conninfo{{"host", "port=1"}}},
		{"nothing after a quote", `host='a'port='1'`, Conninfo{{"host", "a"}, {"port", "1"}}},
		{"escapes without quotes", `password=a\ b\'c\\d host=a`, Conninfo{{"password", `a b'c\d`}, {"host", "a"}}},
		{"a backslash at the end", `password=a\`, Conninfo{{"password", "a"}}},
		{"a quote inside", `password=a'b host=a`, Conninfo{{"password", "a'b"}, {"host", "a"}}},
		{"another = is of the value", `options=-c\ a=b`, Conninfo{{"options", "-c a=b"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseConninfo(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestParseConninfoRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"a name only":             "host",
		"a name and another":      "host port=1",
		"= alone":                 "=a",
		"= after a value":         "host=a =b",
		"no end of a quote":       "password='secret",
		"an escaped end":          `password='secret\'`,
		"a backslash at the end":  `password='secret\`,
		"a value without a name":  "host='a' 'secret'",
		"a URI, which has no = .": "postgresql://u:secret@h/db",
		"too long":                "a=" + strings.Repeat("b", MaxConninfoLength),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseConninfo(in)
			if err == nil {
				t.Fatalf("it is %q", c)
			}
			if len(err.Error()) > 200 || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes what it refuses: %v", err)
			}
		})
	}
}

func TestGet(t *testing.T) {
	c := Conninfo{{"host", "a"}, {"port", "1"}, {"host", "b"}}
	if got, ok := c.Get("host"); got != "b" || !ok {
		t.Errorf("got %q, %v", got, ok)
	}
	if got, ok := c.Get("user"); got != "" || ok {
		t.Errorf("got %q, %v", got, ok)
	}
}

func TestConninfoIsReadAsItIsWritten(t *testing.T) {
	const want = `user='unit_replication' host='orders-0.orders-headless-svc.default' password='it\'s \\ : "a secret"'`
	c := Conninfo{{"user", "unit_replication"}, {"host", "orders-0.orders-headless-svc.default"}, {"password", `it's \ : "a secret"`}}
	if got := c.String(); got != want {
		t.Errorf("got %s", got)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 5000 {
		var c Conninfo
		for range rng.IntN(4) {
			c = append(c, Parameter{"p" + randomText(rng, "ab_", 3), randomText(rng, "a'\\ =\n\t\"", 8)})
		}
		if again, err := ParseConninfo(c.String()); err != nil || !cmp.Equal(again, c) {
			t.Fatalf("seed %d: %q read again is %q, %v", seed, c, again, err)
		}
	}
	if err := quick.Check(func(a, b string) bool {
		c := Conninfo{{"a", a}, {"b", b}}
		again, err := ParseConninfo(c.String())
		return err == nil && cmp.Equal(again, c)
	}, nil); err != nil {
		t.Error(err)
	}
}

func FuzzParseConninfo(f *testing.F) {
	f.Add(`host=a port = '1' password='it\'s'`)
	f.Fuzz(func(t *testing.T, in string) {
		c, err := ParseConninfo(in)
		if err != nil {
			return
		}
		if again, err := ParseConninfo(c.String()); err != nil || !cmp.Equal(again, c) {
			t.Errorf("%q is %q, and that %q, %v", in, c, again, err)
		}
	})
}
