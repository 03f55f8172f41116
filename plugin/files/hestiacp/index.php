<?php
// Opens osm's page for whoever is signed in to HestiaCP: main.php sends everybody else to the panel's login.
require_once $_SERVER["DOCUMENT_ROOT"] . "/inc/main.php";
$osm_user = empty($_SESSION["look"]) ? $_SESSION["user"] : $_SESSION["look"];
exec(HESTIA_CMD . "v-osm-enter " . escapeshellarg($osm_user), $osm_lines, $osm_status);
if ($osm_status === 0 && count($osm_lines) === 1) {
	header("Location: " . $osm_lines[0]);
	exit();
}
http_response_code(503);
header("Content-Type: text/plain; charset=utf-8");
echo "osm's page can't be opened. ", implode("\n", $osm_lines);
