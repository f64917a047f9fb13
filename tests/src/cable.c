/* A reader that can be unplugged: the virtual reader's own driver (libifdvpcd), behind a cable. While the file named in IPPYO_UNPLUGGED
 * exists, every call is answered as a driver answers for a USB device that has gone. Built by the tests (tests/src/pcscd.rs), loaded by pcscd.
 * The interface is pcsc-lite's ifdhandler.h, version 3. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include <PCSC/ifdhandler.h>

static void *driver(const char *name)
{
	static void *library;
	if (!library)
		library = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL);
	return library ? dlsym(library, name) : NULL;
}

static int unplugged(void)
{
	const char *cable = getenv("IPPYO_UNPLUGGED");
	return cable && access(cable, F_OK) == 0;
}

#define FORWARD(name, types, ...)                                                                                      \
	do {                                                                                                           \
		RESPONSECODE(*call) types = (RESPONSECODE(*) types)driver(name);                                       \
		if (unplugged())                                                                                       \
			return IFD_NO_SUCH_DEVICE;                                                                     \
		return call ? call(__VA_ARGS__) : IFD_NOT_SUPPORTED;                                                   \
	} while (0)

RESPONSECODE IFDHCreateChannelByName(DWORD reader, LPSTR device)
{
	FORWARD("IFDHCreateChannelByName", (DWORD, LPSTR), reader, device);
}

RESPONSECODE IFDHCreateChannel(DWORD reader, DWORD channel)
{
	FORWARD("IFDHCreateChannel", (DWORD, DWORD), reader, channel);
}

/* Also what was unplugged is closed. */
RESPONSECODE IFDHCloseChannel(DWORD reader)
{
	RESPONSECODE (*call)(DWORD) = (RESPONSECODE(*)(DWORD))driver("IFDHCloseChannel");
	return call ? call(reader) : IFD_NOT_SUPPORTED;
}

RESPONSECODE IFDHGetCapabilities(DWORD reader, DWORD tag, PDWORD length, PUCHAR value)
{
	FORWARD("IFDHGetCapabilities", (DWORD, DWORD, PDWORD, PUCHAR), reader, tag, length, value);
}

RESPONSECODE IFDHSetCapabilities(DWORD reader, DWORD tag, DWORD length, PUCHAR value)
{
	FORWARD("IFDHSetCapabilities", (DWORD, DWORD, DWORD, PUCHAR), reader, tag, length, value);
}

RESPONSECODE IFDHSetProtocolParameters(DWORD reader, DWORD protocol, UCHAR flags, UCHAR pts1, UCHAR pts2, UCHAR pts3)
{
	FORWARD("IFDHSetProtocolParameters", (DWORD, DWORD, UCHAR, UCHAR, UCHAR, UCHAR), reader, protocol, flags, pts1, pts2, pts3);
}

RESPONSECODE IFDHPowerICC(DWORD reader, DWORD action, PUCHAR atr, PDWORD length)
{
	FORWARD("IFDHPowerICC", (DWORD, DWORD, PUCHAR, PDWORD), reader, action, atr, length);
}

RESPONSECODE IFDHTransmitToICC(DWORD reader, SCARD_IO_HEADER send, PUCHAR command, DWORD length, PUCHAR answer, PDWORD room,
	PSCARD_IO_HEADER receive)
{
	FORWARD("IFDHTransmitToICC", (DWORD, SCARD_IO_HEADER, PUCHAR, DWORD, PUCHAR, PDWORD, PSCARD_IO_HEADER), reader, send, command, length,
		answer, room, receive);
}

RESPONSECODE IFDHControl(DWORD reader, DWORD code, PUCHAR send, DWORD length, PUCHAR answer, DWORD room, LPDWORD returned)
{
	FORWARD("IFDHControl", (DWORD, DWORD, PUCHAR, DWORD, PUCHAR, DWORD, LPDWORD), reader, code, send, length, answer, room, returned);
}

RESPONSECODE IFDHICCPresence(DWORD reader)
{
	FORWARD("IFDHICCPresence", (DWORD), reader);
}
