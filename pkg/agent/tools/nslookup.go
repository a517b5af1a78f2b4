// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

const nslookupUsage = "usage: nslookup NAME|ADDRESS [SERVER]   (unit-agent's stand-in; search domains of /etc/resolv.conf apply)"

// nslookup looks names up as the pod's programs do: search domains included.
func nslookup(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var operands []string
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			fmt.Fprintf(stderr, "nslookup: option %s is not known\n%s\n", arg, nslookupUsage)
			return 2
		}
		operands = append(operands, arg)
	}
	if len(operands) < 1 || len(operands) > 2 {
		fmt.Fprintln(stderr, nslookupUsage)
		return 2
	}
	resolver := &net.Resolver{PreferGo: true}
	server := ""
	if len(operands) == 2 {
		server = withPort(operands[1], "53")
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}
	} else if s := firstNameserver("/etc/resolv.conf"); s != "" {
		server = withPort(s, "53")
	}
	if host, _, err := net.SplitHostPort(server); err == nil {
		fmt.Fprintf(stdout, "Server:\t\t%s\nAddress:\t%s\n\n", host, strings.Replace(server, ":53", "#53", 1))
	}
	if net.ParseIP(operands[0]) != nil {
		return lookupAddress(ctx, resolver, operands[0], stdout)
	}
	return lookupName(ctx, resolver, operands[0], stdout)
}

func lookupName(ctx context.Context, resolver *net.Resolver, name string, stdout io.Writer) int {
	addresses, err := resolver.LookupHost(ctx, name)
	if err != nil {
		fmt.Fprintf(stdout, "** server can't find %s: %s\n\n", name, reason(err))
		return 1
	}
	full := name
	// The canonical name shows which search domain has answered.
	if canonical, err := resolver.LookupCNAME(ctx, name); err == nil {
		full = strings.TrimSuffix(canonical, ".")
	}
	for _, address := range addresses {
		fmt.Fprintf(stdout, "Name:\t%s\nAddress: %s\n", full, address)
	}
	fmt.Fprintln(stdout)
	return 0
}

func lookupAddress(ctx context.Context, resolver *net.Resolver, address string, stdout io.Writer) int {
	names, err := resolver.LookupAddr(ctx, address)
	if err != nil {
		fmt.Fprintf(stdout, "** server can't find %s: %s\n\n", address, reason(err))
		return 1
	}
	for _, name := range names {
		fmt.Fprintf(stdout, "%s\tname = %s\n", address, name)
	}
	fmt.Fprintln(stdout)
	return 0
}

func reason(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "NXDOMAIN"
	case errors.As(err, &dns) && dns.IsTimeout:
		return "no answer in time"
	case errors.As(err, &dns):
		return dns.Err
	}
	return err.Error()
}

func firstNameserver(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		if fields := strings.Fields(scanner.Text()); len(fields) > 1 && fields[0] == "nameserver" {
			return fields[1]
		}
	}
	return ""
}

func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}
