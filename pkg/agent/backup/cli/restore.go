// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/upmio/unit-operator/pkg/agent/backup"
)

func newRestoreCommand(o *options) *cobra.Command {
	var directory, file string
	command := &cobra.Command{
		Use:   "restore LOCATION (--to DIR | --file FILE)",
		Short: "Unpack the files of a backup, and of what it is based on",
		Long: `Decrypts, decompresses and checks the files of a backup.

With --to they are written to DIR/<name of the backup>/<file>, for each backup of the
chain, the full one first in the output; a directory of that name must not be there yet.
A file appears under its name when it was read to its end and is good.

With --file one file of the backup itself is written to the standard output, such as a
dump for mysql or psql. It is good if the command succeeds: what comes before is not to
be committed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if (directory == "") == (file == "") {
				return errors.New("restore wants either --to or --file")
			}
			ctx := command.Context()
			store, chain, key, err := o.chain(ctx, args[0])
			if err != nil {
				return err
			}
			if file != "" {
				return stream(ctx, store, chain[len(chain)-1], file, key, command.OutOrStdout())
			}
			for _, m := range chain {
				if err := m.CheckKey(key); err != nil {
					return err
				}
			}
			for _, m := range chain {
				target := filepath.Join(directory, m.Name())
				if err := unpack(ctx, store, m, key, target); err != nil {
					return err
				}
				fmt.Fprintln(command.OutOrStdout(), target)
			}
			return nil
		},
	}
	command.Flags().StringVar(&directory, "to", "", "directory to unpack to")
	command.Flags().StringVar(&file, "file", "", "file to write to the standard output")
	return command
}

func stream(ctx context.Context, store backup.Store, m *backup.Manifest, file string, key []byte, out io.Writer) error {
	r, err := m.Open(ctx, store, file, key)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(out, r)
	return err
}

// unpack writes all files of one backup below target, which it makes.
func unpack(ctx context.Context, store backup.Store, m *backup.Manifest, key []byte, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(target, 0o700); err != nil {
		return err
	}
	// No name of a file leads out of it.
	root, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range m.Files {
		if err := unpackFile(ctx, store, m, f.Name, key, root); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(ctx context.Context, store backup.Store, m *backup.Manifest, name string, key []byte, root *os.Root) error {
	const unchecked = ".unchecked"
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := root.OpenFile(name+unchecked, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = stream(ctx, store, m, name, key, file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = root.Rename(name+unchecked, name)
	}
	if err != nil {
		_ = root.Remove(name + unchecked)
	}
	return err
}
