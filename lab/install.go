package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"osm/exim"
)

// Package is Debian's package with an Exim that has all that a lab needs.
const Package = "exim4-daemon-heavy"

// policyFile is asked by Debian's packages before they start a service (invoke-rc.d(8)); 101 forbids it.
const policyFile = "/usr/sbin/policy-rc.d"

const forbidden = 101

// Install installs Exim with apt where there is none, without starting it as a service and without taking another mail
// server's place. What apt says goes to out. It reports whether it installed something.
func Install(out io.Writer) (bool, error) {
	if _, err := exim.FindBinary("/"); err == nil {
		return false, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return false, fmt.Errorf("there is no Exim here, and no apt-get to install %s with: install Exim first", Package)
	}
	if os.Geteuid() != 0 {
		return false, fmt.Errorf("there is no Exim here, and only root can install one: apt-get install %s", Package)
	}
	restore, err := forbidServices()
	if err != nil {
		return false, err
	}
	err = install(apt, out)
	return err == nil, errors.Join(err, restore())
}

// install refuses to remove anything: every mail server of Debian's conflicts with every other.
func install(apt string, out io.Writer) error {
	run := func(args ...string) error {
		cmd := exec.Command(apt, args...) // Ctrl-C reaches it too, and it knows how to stop half-way
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = out, out
		return cmd.Run()
	}
	args := []string{"install", "--yes", "--no-install-recommends", "--no-remove", Package}
	if run(args...) == nil {
		return nil
	}
	// The usual reason is a list of packages that is old or not there.
	if err := run("update"); err != nil {
		return fmt.Errorf("apt-get update: %w", err)
	}
	if err := run(args...); err != nil {
		return fmt.Errorf("apt-get install %s: %w (when another mail server is installed, apt would have to remove it: "+
			"osm does not do that)", Package, err)
	}
	return nil
}

// forbidServices keeps packages from starting services until restore is called. An administrator's own policy is left as
// it is: when it lets services start, nothing is installed.
func forbidServices() (restore func() error, err error) {
	f, err := os.OpenFile(policyFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, os.ErrExist) {
		var exit *exec.ExitError
		err := exec.Command(policyFile, "exim4", "start").Run()
		if errors.As(err, &exit) && exit.ExitCode() == forbidden {
			return func() error { return nil }, nil
		}
		return nil, fmt.Errorf("%s would let the mail server start: install %s by hand", policyFile, Package)
	}
	if err != nil {
		return nil, fmt.Errorf("keep the mail server from starting: %w", err)
	}
	restore = func() error { return os.Remove(policyFile) }
	_, err = fmt.Fprintf(f, "#!/bin/sh\n# Made by osm while it installs %s, and removed after that.\nexit %d\n", Package,
		forbidden)
	if err := errors.Join(err, f.Chmod(0o755), f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the mail server from starting: %w", err), restore())
	}
	return restore, nil
}
