// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const curlUsage = `usage: curl [options] URL   (unit-agent's stand-in, http and https only)
  -X, --request METHOD   -H, --header 'Name: value'   -d, --data DATA|@FILE
  -o, --output FILE      -i, --include                -I, --head
  -s, --silent           -S, --show-error             -f, --fail
  -k, --insecure         -L, --location               -m, --max-time SECONDS
  -v, --verbose`

// Exit statuses as curl's own.
const (
	curlUsageError  = 2
	curlBadURL      = 3
	curlConnect     = 7
	curlHTTPError   = 22
	curlWriteError  = 23
	curlReadError   = 26
	curlTimeout     = 28
	curlCertificate = 60
)

type curlOptions struct {
	method, output, data              string
	hasData                           bool
	headers                           []string
	include, head, silent, showError  bool
	fail, insecure, location, verbose bool
	maxTime                           time.Duration
	url                               string
}

func curl(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseCurl(args)
	if err != nil {
		fmt.Fprintf(stderr, "curl: %v\n%s\n", err, curlUsage)
		return curlUsageError
	}
	complain := func(status int, err error) int {
		if !o.silent || o.showError {
			fmt.Fprintf(stderr, "curl: (%d) %v\n", status, err)
		}
		return status
	}
	request, status, err := o.request(ctx)
	if err != nil {
		return complain(status, err)
	}
	response, err := o.client().Do(request)
	if err != nil {
		return complain(curlStatus(err), err)
	}
	defer response.Body.Close()
	if o.verbose {
		fmt.Fprintf(stderr, "> %s %s\n< %s %s\n", request.Method, request.URL, response.Proto, response.Status)
	}
	if o.fail && response.StatusCode >= 400 {
		return complain(curlHTTPError, fmt.Errorf("the requested URL returned error: %d", response.StatusCode))
	}
	out := stdout
	if o.output != "" && o.output != "-" {
		f, err := os.Create(o.output)
		if err != nil {
			return complain(curlWriteError, err)
		}
		defer f.Close()
		out = f
	}
	if o.include || o.head {
		fmt.Fprintf(out, "%s %s\r\n", response.Proto, response.Status)
		_ = response.Header.Write(out)
		fmt.Fprint(out, "\r\n")
	}
	if _, err := io.Copy(out, response.Body); err != nil {
		return complain(curlWriteError, err)
	}
	return 0
}

func curlStatus(err error) int {
	var certificate *tls.CertificateVerificationError
	var wrapped *url.Error
	switch {
	case errors.As(err, &certificate):
		return curlCertificate
	case errors.As(err, &wrapped) && wrapped.Timeout():
		return curlTimeout
	}
	return curlConnect
}

func (o curlOptions) request(ctx context.Context) (*http.Request, int, error) {
	target := o.url
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	method := o.method
	var body io.Reader
	if o.hasData {
		data := o.data
		if file, ok := strings.CutPrefix(data, "@"); ok {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, curlReadError, err
			}
			data = string(content)
		}
		body = strings.NewReader(data)
	}
	switch {
	case method != "":
	case o.head:
		method = http.MethodHead
	case o.hasData:
		method = http.MethodPost
	default:
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, curlBadURL, err
	}
	if request.URL.Scheme != "http" && request.URL.Scheme != "https" {
		return nil, 1, fmt.Errorf("protocol %q is not known to this stand-in", request.URL.Scheme)
	}
	request.Header.Set("User-Agent", "curl (unit-agent)")
	request.Header.Set("Accept", "*/*")
	if o.hasData {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range o.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, curlUsageError, fmt.Errorf("header %q has no colon", h)
		}
		if strings.EqualFold(name, "host") {
			request.Host = strings.TrimSpace(value)
			continue
		}
		request.Header.Set(name, strings.TrimSpace(value))
	}
	return request, 0, nil
}

func (o curlOptions) client() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if o.insecure {
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // -k says so
	}
	client := &http.Client{Transport: transport, Timeout: o.maxTime}
	if !o.location {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client
}

// parseCurl knows joined short options (-sk), values in the same word (-XPOST)
// and long ones in the next.
func parseCurl(args []string) (curlOptions, error) {
	var o curlOptions
	flags := map[string]*bool{
		"i": &o.include, "include": &o.include, "I": &o.head, "head": &o.head,
		"s": &o.silent, "silent": &o.silent, "S": &o.showError, "show-error": &o.showError,
		"f": &o.fail, "fail": &o.fail, "k": &o.insecure, "insecure": &o.insecure,
		"L": &o.location, "location": &o.location, "v": &o.verbose, "verbose": &o.verbose,
	}
	values := map[string]func(string) error{}
	value := func(set func(string) error, names ...string) {
		for _, n := range names {
			values[n] = set
		}
	}
	value(func(v string) error { o.method = v; return nil }, "X", "request")
	value(func(v string) error { o.output = v; return nil }, "o", "output")
	value(func(v string) error { o.headers = append(o.headers, v); return nil }, "H", "header")
	value(func(v string) error {
		if o.hasData {
			v = o.data + "&" + v
		}
		o.data, o.hasData = v, true
		return nil
	}, "d", "data", "data-raw")
	value(func(v string) (err error) { o.maxTime, err = time.ParseDuration(v + "s"); return err }, "m", "max-time")

	for i := 0; i < len(args); i++ {
		arg := args[i]
		next := func(name string) (string, error) {
			i++
			if i >= len(args) {
				return "", fmt.Errorf("option %s needs a value", name)
			}
			return args[i], nil
		}
		switch {
		case strings.HasPrefix(arg, "--"):
			name := arg[2:]
			if flag, ok := flags[name]; ok {
				*flag = true
			} else if set, ok := values[name]; ok {
				v, err := next(arg)
				if err != nil {
					return o, err
				}
				if err := set(v); err != nil {
					return o, fmt.Errorf("option %s: %w", arg, err)
				}
			} else {
				return o, fmt.Errorf("option %s is not known", arg)
			}
		case strings.HasPrefix(arg, "-") && len(arg) > 1:
			for j := 1; j < len(arg); j++ {
				name := arg[j : j+1]
				if flag, ok := flags[name]; ok {
					*flag = true
					continue
				}
				set, ok := values[name]
				if !ok {
					return o, fmt.Errorf("option -%s is not known", name)
				}
				v := arg[j+1:]
				if v == "" {
					var err error
					if v, err = next("-" + name); err != nil {
						return o, err
					}
				}
				if err := set(v); err != nil {
					return o, fmt.Errorf("option -%s: %w", name, err)
				}
				break
			}
		case o.url != "":
			return o, errors.New("more than one URL")
		default:
			o.url = arg
		}
	}
	if o.url == "" {
		return o, errors.New("no URL")
	}
	return o, nil
}
