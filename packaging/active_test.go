package packaging

import (
	"os"
	"strings"
	"testing"
)

// settings reads the [Service] settings of unit files in their order, as systemd does: a later value counts, and for lists an
// empty one takes back the earlier.
func settings(t *testing.T, paths ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
				all[key] = value
			}
		}
	}
	return all
}

// TestActive looks for what would keep a setuid program from its rights when active.conf is installed: systemd sets
// NoNewPrivileges by itself for each of these in a service with User=.
func TestActive(t *testing.T) {
	implying := []string{"NoNewPrivileges", "DynamicUser", "LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices",
		"ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables",
		"RestrictAddressFamilies", "RestrictFileSystems", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
		"SystemCallArchitectures", "SystemCallFilter", "SystemCallLog"}
	passive, active := settings(t, "osm.service"), settings(t, "osm.service", "active.conf")
	for _, key := range implying {
		if value := active[key]; value != "" && value != "no" {
			t.Errorf("%s=%s implies NoNewPrivileges", key, value)
		}
	}
	if passive["NoNewPrivileges"] != "yes" || passive["CapabilityBoundingSet"] != "" || active["AmbientCapabilities"] != "" {
		t.Errorf("the rights without active.conf: %v", passive)
	}
}
