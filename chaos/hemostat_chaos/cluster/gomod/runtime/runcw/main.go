// Command runcw stands in for runc where this process lacks capabilities that
// containers ask for. Before it becomes the real runc it edits the bundle so
// that runc asks only for what the kernel will grant: capabilities that this
// process holds, an oom_score_adj not below its own, rlimits within its own.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// realRunc is where Debian puts runc; RUNCW_RUNC names another.
const realRunc = "/usr/sbin/runc"

func main() {
	runc := os.Getenv("RUNCW_RUNC")
	if runc == "" {
		runc = realRunc
	}
	args := os.Args[1:]
	if path, process := target(args); path != "" {
		if err := edit(path, process, current()); err != nil {
			fmt.Fprintf(os.Stderr, "runcw: %s: %v\n", path, err)
		}
	}
	err := syscall.Exec(runc, append([]string{runc}, args...), os.Environ())
	fmt.Fprintf(os.Stderr, "runcw: %s: %v\n", runc, err)
	os.Exit(127)
}

// target returns the file that the runc command reads its process from, and
// whether that file is a bare process (exec) or a whole bundle (create, run).
func target(args []string) (path string, process bool) {
	bundle, processFile, command := ".", "", ""
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "create", "run", "exec", "restore":
			if command == "" && !joined {
				command = name
			}
			continue
		case "--bundle", "-b":
			bundle = value
		case "--process", "-p":
			processFile = value
		default:
			continue
		}
		if !joined {
			i++
		}
	}
	switch command {
	case "create", "run":
		return filepath.Join(bundle, "config.json"), false
	case "exec":
		return processFile, true
	}
	return "", false
}

// edit rewrites the file in one rename, so that runc never reads half of it.
func edit(path string, process bool, own limits) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var document map[string]any
	if err := decoder.Decode(&document); err != nil {
		return err
	}
	spec := document
	if !process {
		spec, _ = document["process"].(map[string]any)
	}
	if spec == nil {
		return nil
	}
	restrict(spec, own)
	out, err := json.Marshal(document)
	if err != nil {
		return err
	}
	temporary := path + ".runcw"
	if err := os.WriteFile(temporary, out, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// restrict takes out of an OCI process what this process could not grant.
func restrict(spec map[string]any, own limits) {
	if sets, ok := spec["capabilities"].(map[string]any); ok {
		for kind, set := range sets {
			if names, ok := set.([]any); ok {
				sets[kind] = held(names, own.capabilities)
			}
		}
	}
	if number, ok := spec["oomScoreAdj"].(json.Number); ok {
		if wanted, err := number.Int64(); err == nil && wanted < own.oomScoreAdj {
			spec["oomScoreAdj"] = json.Number(strconv.FormatInt(own.oomScoreAdj, 10))
		}
	}
	rlimits, _ := spec["rlimits"].([]any)
	for _, item := range rlimits {
		if rlimit, ok := item.(map[string]any); ok {
			clamp(rlimit)
		}
	}
}

func held(names []any, own uint64) []any {
	kept := []any{}
	for _, name := range names {
		text, _ := name.(string)
		if bit, known := capabilities[text]; known && own&(1<<bit) != 0 {
			kept = append(kept, name)
		}
	}
	return kept
}

func clamp(rlimit map[string]any) {
	kind, _ := rlimit["type"].(string)
	resource, known := resources[kind]
	if !known {
		return
	}
	var own syscall.Rlimit
	if syscall.Getrlimit(resource, &own) != nil {
		return
	}
	for _, bound := range []string{"hard", "soft"} {
		number, ok := rlimit[bound].(json.Number)
		if !ok {
			continue
		}
		if value, err := strconv.ParseUint(number.String(), 10, 64); err == nil && value > own.Max {
			rlimit[bound] = json.Number(strconv.FormatUint(own.Max, 10))
		}
	}
}
