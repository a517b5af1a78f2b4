// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const netstatUsage = `usage: netstat [-s] [-a] [-l] [-t] [-u] [-n]   (unit-agent's stand-in, always numeric)
  -s  statistics by protocol   -l  listening sockets   -a  all sockets
  -t  TCP only                 -u  UDP only            without -l and -a: connections`

// netstat prints what the kernel tells in /proc/net of this network namespace.
func netstat(_ context.Context, args []string, stdout, stderr io.Writer) int {
	return netstatAt("/proc/net", args, stdout, stderr)
}

func netstatAt(proc string, args []string, stdout, stderr io.Writer) int {
	var statistics, all, listening, tcp, udp bool
	for _, arg := range args {
		switch arg {
		case "--statistics":
			arg = "-s"
		case "--all":
			arg = "-a"
		case "--listening":
			arg = "-l"
		case "--tcp":
			arg = "-t"
		case "--udp":
			arg = "-u"
		case "--numeric":
			arg = "-n"
		}
		letters, ok := strings.CutPrefix(arg, "-")
		if !ok || letters == "" {
			fmt.Fprintf(stderr, "netstat: %s is not known\n%s\n", arg, netstatUsage)
			return 2
		}
		for _, c := range letters {
			switch c {
			case 's':
				statistics = true
			case 'a':
				all = true
			case 'l':
				listening = true
			case 't':
				tcp = true
			case 'u':
				udp = true
			case 'n', 'W', '4', '6', 'e':
			default:
				fmt.Fprintf(stderr, "netstat: option -%c is not known\n%s\n", c, netstatUsage)
				return 2
			}
		}
	}
	if !tcp && !udp {
		tcp, udp = true, true
	}
	var err error
	if statistics {
		err = printStatistics(proc, stdout)
	} else {
		err = printSockets(proc, stdout, tcp, udp, all, listening)
	}
	if err != nil {
		fmt.Fprintln(stderr, "netstat:", err)
		return 1
	}
	return 0
}

// printStatistics prints the pairs of lines (names, values) of snmp and netstat.
func printStatistics(proc string, stdout io.Writer) error {
	for _, name := range []string{"snmp", "netstat"} {
		lines, err := readLines(filepath.Join(proc, name))
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(lines); i += 2 {
			names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
			if len(names) != len(values) || len(names) == 0 || names[0] != values[0] {
				return fmt.Errorf("%s: lines %d and %d do not belong together", name, i+1, i+2)
			}
			fmt.Fprintln(stdout, names[0])
			for j := 1; j < len(names); j++ {
				// Most counters of a quiet host are zero and tell nothing.
				if name == "netstat" && values[j] == "0" {
					continue
				}
				fmt.Fprintf(stdout, "    %s: %s\n", names[j], values[j])
			}
		}
	}
	return nil
}

var tcpStates = []string{"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"}

func printSockets(proc string, stdout io.Writer, tcp, udp, all, listening bool) error {
	fmt.Fprintf(stdout, "%-5s %6s %6s %-24s %-24s %s\n", "Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "State")
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
		isTCP := strings.HasPrefix(protocol, "tcp")
		if isTCP && !tcp || !isTCP && !udp {
			continue
		}
		lines, err := readLines(filepath.Join(proc, protocol))
		if os.IsNotExist(err) && strings.HasSuffix(protocol, "6") {
			continue
		}
		if err != nil {
			return err
		}
		for _, line := range lines[min(1, len(lines)):] {
			s, err := parseSocket(line)
			if err != nil {
				return fmt.Errorf("%s: %w", protocol, err)
			}
			state := ""
			if isTCP && int(s.state) < len(tcpStates) {
				state = tcpStates[s.state]
			}
			isListener := state == "LISTEN" || !isTCP && s.remote.Port() == 0
			if !all && isListener != listening {
				continue
			}
			fmt.Fprintf(stdout, "%-5s %6d %6d %-24s %-24s %s\n", protocol, s.receive, s.send, address(s.local), address(s.remote), state)
		}
	}
	return nil
}

type socket struct {
	local, remote netip.AddrPort
	state         uint64
	send, receive uint64
}

// parseSocket reads "sl local remote st tx:rx ...", addresses in hexadecimal.
func parseSocket(line string) (socket, error) {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return socket{}, fmt.Errorf("short line %q", line)
	}
	var s socket
	var err error
	if s.local, err = parseAddress(fields[1]); err != nil {
		return socket{}, err
	}
	if s.remote, err = parseAddress(fields[2]); err != nil {
		return socket{}, err
	}
	if s.state, err = strconv.ParseUint(fields[3], 16, 8); err != nil {
		return socket{}, err
	}
	send, receive, _ := strings.Cut(fields[4], ":")
	if s.send, err = strconv.ParseUint(send, 16, 64); err != nil {
		return socket{}, err
	}
	s.receive, err = strconv.ParseUint(receive, 16, 64)
	return s, err
}

// parseAddress reads HEXADDRESS:HEXPORT; the address is in words of four bytes,
// each in the host's order, which is little-endian wherever this runs.
func parseAddress(text string) (netip.AddrPort, error) {
	host, port, ok := strings.Cut(text, ":")
	bytes, err := hex.DecodeString(host)
	if err != nil || !ok || len(bytes) != 4 && len(bytes) != 16 {
		return netip.AddrPort{}, fmt.Errorf("address %q", text)
	}
	for i := 0; i < len(bytes); i += 4 {
		slices.Reverse(bytes[i : i+4])
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port of %q: %w", text, err)
	}
	ip, _ := netip.AddrFromSlice(bytes)
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
}

func address(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String() + ":*"
	}
	return a.Addr().String() + ":" + strconv.Itoa(int(a.Port()))
}

func readLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines, scanner.Err()
}
